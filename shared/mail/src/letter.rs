//! What the mails say.
//!
//! Each kind of letter is in a file of its own, and has a text in every language.

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

    /// The subject: nothing that anybody typed.
    #[must_use]
    pub const fn subject(&self) -> &'static str {
        self.subject
    }

    /// The text: for the mail, and nowhere else.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same text for who sends mails as HTML only, as Amazon Cognito does: it reads alike in both forms.
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

/// An organisation's name in the quotation marks of the language: the words of somebody else than who mails.
pub(crate) fn quoted(organisation: &OrganisationName, language: Language) -> String {
    let (opening, closing) = match language {
        Language::En => ('“', '”'),
        Language::De => ('„', '“'),
    };
    format!("{opening}{}{closing}", organisation.expose())
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(..)")
    }
}
