//! The mails with a code, which the identity provider sends.

use crate::letter::Letter;
use kernel::Language;

/// The purpose of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePurpose {
    /// Confirms the address of a new account.
    Confirmation,
    /// Allows to choose another password.
    Password,
}

impl CodePurpose {
    /// Every purpose.
    pub const ALL: [Self; 2] = [Self::Confirmation, Self::Password];
}

impl Letter {
    /// A mail with a code, or with the placeholder for it. Beside the code it has only the address
    /// of the tenant's page, if there is one, so that the person knows what the code is for.
    #[must_use]
    pub fn code(
        purpose: CodePurpose,
        code: &str,
        address: Option<&str>,
        language: Language,
    ) -> Self {
        let wording = wording(purpose, language);
        let mut text = format!("{}\n\nCode: {code}\n\n", wording.intent);
        if let Some(address) = address {
            text.push_str(&format!("{}: {address}\n\n", wording.address));
        }
        text.push_str(wording.stranger);
        text.push('\n');
        Self::new(wording.subject, text)
    }
}

struct Wording {
    subject: &'static str,
    intent: &'static str,
    /// The words before the address.
    address: &'static str,
    /// The advice to a person who did not request the code.
    stranger: &'static str,
}

const fn wording(purpose: CodePurpose, language: Language) -> Wording {
    match (purpose, language) {
        (CodePurpose::Confirmation, Language::En) => Wording {
            subject: "Confirm your e-mail address",
            intent: "To complete your registration, enter this code:",
            address: "Your workspace",
            stranger: "If you did not register, ignore this mail.",
        },
        (CodePurpose::Confirmation, Language::De) => Wording {
            subject: "Bestätigen Sie Ihre E-Mail-Adresse",
            intent: "Um Ihre Registrierung abzuschließen, geben Sie diesen Code ein:",
            address: "Ihr Arbeitsbereich",
            stranger: "Wenn Sie sich nicht registriert haben, beachten Sie diese Mail nicht.",
        },
        (CodePurpose::Password, Language::En) => Wording {
            subject: "Choose a new password",
            intent: "To choose a new password, enter this code:",
            address: "Your workspace",
            stranger: "If you did not ask for this, ignore this mail: your password stays as it is.",
        },
        (CodePurpose::Password, Language::De) => Wording {
            subject: "Wählen Sie ein neues Passwort",
            intent: "Um ein neues Passwort zu wählen, geben Sie diesen Code ein:",
            address: "Ihr Arbeitsbereich",
            stranger: "Wenn Sie das nicht verlangt haben, beachten Sie diese Mail nicht: Ihr Passwort bleibt, wie es ist.",
        },
    }
}
