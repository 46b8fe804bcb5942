//! What a meter looks for in an event's data.

use crate::event::Fault;
use crate::json::{self, Member, Members, Wire};
use crate::refusal::Reason;
use catalogue::{Meter, PathStep, ValuePath};
use kernel::UsageGroup;
use serde_json::value::RawValue;

/// The most members that a meter looks for: its value, and its dimensions.
const NAMES_MAX: usize = 1 + UsageGroup::DIMENSIONS_MAX;

/// An event's data, whose first level was looked through once for all that a meter looks for.
pub(crate) struct Data<'b, 'm> {
    /// Where it is, unless it is absent or null.
    raw: Option<&'b RawValue>,
    is_binary: bool,
    /// What was looked for. A place without a name repeats another one's.
    names: [&'m str; NAMES_MAX],
    /// What was found; nothing in what is no object.
    members: Option<Members<'b, NAMES_MAX>>,
}

impl<'b, 'm> Data<'b, 'm> {
    pub(crate) fn of(wire: &Wire<'b>, meter: &'m Meter) -> Self {
        let paths = meter
            .value
            .iter()
            .chain(meter.dimensions.iter().map(|dimension| &dimension.path));
        let mut first_steps = paths.filter_map(|path| match path.steps().first() {
            Some(PathStep::Member(name)) => Some(name.as_str()),
            _ => None,
        });
        let first = first_steps.next();
        let mut names = [first.unwrap_or_default(); NAMES_MAX];
        for (place, name) in names.iter_mut().skip(1).zip(first_steps) {
            *place = name;
        }
        let raw = wire.data();
        let looked_through = raw.filter(|_| first.is_some());
        Self {
            raw,
            is_binary: wire.field("data_base64").is_some(),
            members: looked_through.and_then(|raw| Members::of(raw, &names)),
            names,
        }
    }

    /// What is at a path, if anything.
    pub(crate) fn at(&self, path: &ValuePath) -> Result<Option<&'b RawValue>, Fault> {
        let no_object = || Fault::of(Reason::InvalidData, "data is not a JSON object");
        if self.is_binary {
            return Err(no_object());
        }
        let Some(mut raw) = self.raw else {
            return Ok(None);
        };
        for (depth, step) in path.steps().iter().enumerate() {
            let found = match step {
                PathStep::Member(name) if depth == 0 => self.member(raw, name),
                PathStep::Member(name) => json::member(raw, name),
                PathStep::Element(index) => json::element(raw, *index),
            };
            raw = match found {
                Member::Found(raw) => raw,
                Member::NoObject if depth == 0 && matches!(step, PathStep::Member(_)) => {
                    return Err(no_object());
                }
                Member::NoObject | Member::Absent => return Ok(None),
                Member::Twice => {
                    return Err(Fault::of(
                        Reason::DuplicateField,
                        format!("{} is there twice", named(path)),
                    ));
                }
            };
        }
        Ok(Some(raw))
    }

    fn member(&self, raw: &'b RawValue, name: &str) -> Member<'b> {
        match self.names.iter().position(|looked_for| *looked_for == name) {
            Some(place) => Member::of(self.members.as_ref(), place),
            // A meter with more dimensions than it may have.
            None => json::member(raw, name),
        }
    }
}

/// A path as a caller knows it.
pub(crate) fn named(path: &ValuePath) -> String {
    path.to_string().replacen('$', "data", 1)
}

#[cfg(test)]
mod tests {
    use super::Data;
    use crate::json::{Member, Wire, member};
    use catalogue::{Catalogue, Meter, PathStep, ValuePath};
    use serde_json::value::RawValue;

    const PATHS: [&str; 5] = ["$.a.b", "$.a.c", "$.d", "$.a.b.e", "$.f"];

    /// A meter that looks at all these places, two of them twice.
    fn meter() -> Meter {
        let catalogue = Catalogue::bundled().unwrap();
        let with_dimension = |meter: &Meter| meter.dimensions.first().cloned();
        let dimension = catalogue.meters.iter().find_map(with_dimension).unwrap();
        let mut meter = catalogue.meters[0].clone();
        meter.value = Some(PATHS[0].parse().unwrap());
        let dimensions = PATHS[1..].iter().map(|path| {
            let mut dimension = dimension.clone();
            dimension.path = path.parse().unwrap();
            dimension
        });
        meter.dimensions = dimensions.collect();
        meter
    }

    /// What is found by one search for each step: a text, nothing, or that a member is there twice.
    fn searched<'b>(data: &'b RawValue, path: &ValuePath) -> Result<Option<&'b str>, ()> {
        let mut raw = data;
        for (depth, step) in path.steps().iter().enumerate() {
            let PathStep::Member(name) = step else {
                return Ok(None);
            };
            raw = match member(raw, name) {
                Member::Found(raw) => raw,
                Member::NoObject if depth > 0 => return Ok(None),
                Member::Absent => return Ok(None),
                Member::NoObject | Member::Twice => return Err(()),
            };
        }
        Ok(Some(raw.get()))
    }

    #[test]
    fn one_search_finds_what_many_find() {
        let meter = meter();
        for data in [
            r#"{"a":{"b":1,"c":"x"},"d":2,"f":null}"#,
            r#"{"d":1,"d":2,"a":{"b":{"e":3}},"f":4}"#,
            r#"{"a":{"b":1},"a":{"b":2},"d":3}"#,
            r#"{"a":{"b":1,"b":2,"c":3},"\u0064":4,"d":5}"#,
            r#"{"a":5,"f":[1]}"#,
            r#"{"\ud800":1,"a":{"c":2},"d":3}"#,
            "{}",
            "[1]",
            "5",
        ] {
            let event = format!("{{\"data\":{data}}}");
            let event: &RawValue = serde_json::from_str(&event).unwrap();
            let raw: &RawValue = serde_json::from_str(data).unwrap();
            let found = Data::of(&Wire::of_json(event), &meter);
            for path in PATHS {
                let path = path.parse().unwrap();
                let at = found.at(&path).map(|raw| raw.map(RawValue::get));
                assert_eq!(at.map_err(|_| ()), searched(raw, &path), "{data} {path}");
            }
        }
    }
}
