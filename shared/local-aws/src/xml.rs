//! Reads the flat XML of AWS's older protocols: elements without attributes, text without entities.

/// The text of the first element of this name; `None` where there is none.
pub(super) fn inside<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    every(xml, element).next()
}

/// The texts of all elements of this name, in order.
pub(super) fn every<'a>(xml: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (text, after) = after.split_once(&close)?;
        rest = after;
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_order() {
        let xml = "<A><B>1</B><C/><B>2</B></A><B>3";
        assert_eq!(every(xml, "B").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(inside(xml, "A"), Some("<B>1</B><C/><B>2</B>"));
        assert_eq!(inside(xml, "D"), None);
    }
}
