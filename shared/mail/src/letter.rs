//! The texts of the mails.
//!
//! Each kind of letter is in a file of its own, with a text in every language.

use kernel::Language;
use std::fmt::{self, Write as _};
use tenancy::OrganisationName;

/// The text of a mail. Personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    subject: &'static str,
    text: String,
}

impl Letter {
    /// A letter of plain text.
    pub(crate) const fn new(subject: &'static str, text: String) -> Self {
        Self { subject, text }
    }

    /// The subject, which holds no text that a person typed.
    #[must_use]
    pub const fn subject(&self) -> &'static str {
        self.subject
    }

    /// The text. Only the mail may contain it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as HTML, for senders such as Amazon Cognito that send HTML only. It reads the same
    /// in both forms.
    #[must_use]
    pub fn html(&self) -> String {
        let mut html = String::with_capacity(self.text.len() + 64);
        for letter in self.text.trim_end().chars() {
            let written = match letter {
                '&' => html.write_str("&amp;"),
                '<' => html.write_str("&lt;"),
                '>' => html.write_str("&gt;"),
                '"' => html.write_str("&quot;"),
                '\'' => html.write_str("&#39;"),
                '\n' => html.write_str("<br>\n"),
                other => html.write_char(other),
            };
            // Writing to a String cannot fail.
            let _ = written;
        }
        html
    }
}

/// An organisation's name in the language's quotation marks, since it is the text of another person
/// than the sender. Quotation marks inside it become single ones, so that the quotation cannot end
/// early.
pub(crate) fn quoted(organisation: &OrganisationName, language: Language) -> String {
    let (opening, closing) = match language {
        Language::En => ('“', '”'),
        Language::De => ('„', '“'),
    };
    let within = unlinked(organisation.expose()).replace(is_quotation_mark, "'");
    format!("{opening}{within}{closing}")
}

const fn is_quotation_mark(character: char) -> bool {
    matches!(
        character,
        '"' | '“'
            | '”'
            | '„'
            | '‟'
            | '«'
            | '»'
            | '❝'
            | '❞'
            | '\u{2e42}'
            | '〝'
            | '〞'
            | '〟'
            | '＂'
            | '″'
            | '‶'
            | '🙶'
            | '🙷'
            | '🙸'
    )
}

/// A person's text, changed so that no mail program makes a link of it. A blank follows every
/// separator in a word that may be an address, so that no part between blanks is one: an
/// organisation may be called `Booking.com`.
///
/// Every text that a person typed gets into a letter this way. Invisible characters would not help:
/// programs that support international domains remove them (UTS 46, section 4).
fn unlinked(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        if may_link(word) {
            broken(word)
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a word has a separator of addresses before a letter or digit. Initials alone are no
/// address, as no top-level domain has one letter.
fn may_link(word: &str) -> bool {
    let mut parts = word.split(is_sign).filter(|part| !part.is_empty());
    let before = parts.next().is_some_and(|_| word.contains(is_sign));
    before
        && (word.contains(|c| is_sign(c) && !is_dot(c))
            || parts.any(|part| part.chars().nth(1).is_some()))
}

fn broken(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 8);
    for character in word.chars() {
        text.push(character);
        if is_sign(character) {
            text.push(' ');
        }
    }
    text.trim_end().to_owned()
}

/// The separators of addresses, and the characters that programs treat like them.
const fn is_sign(character: char) -> bool {
    is_dot(character)
        || matches!(
            character,
            '@' | ':'
                | '/'
                | '\\'
                | '\u{2044}'
                | '\u{2215}'
                | '\u{2236}'
                | '\u{fe13}'
                | '\u{fe55}'
                | '\u{fe6b}'
                | '\u{ff0f}'
                | '\u{ff1a}'
                | '\u{ff20}'
                | '\u{ff3c}'
        )
}

/// A dot, and the characters that stand for one in domains (UTS 46, section 2.3) or look like one.
const fn is_dot(character: char) -> bool {
    matches!(
        character,
        '.' | '\u{2024}'
            | '\u{3002}'
            | '\u{fe12}'
            | '\u{fe52}'
            | '\u{ff0e}'
            | '\u{ff61}'
            | '\u{2025}'
            | '\u{2026}'
    )
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(..)")
    }
}

#[cfg(test)]
mod tests;
