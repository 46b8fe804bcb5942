use super::{is_quotation_mark, is_sign, quoted, unlinked};
use kernel::Language;
use proptest::prelude::*;
use tenancy::OrganisationName;

#[test]
fn a_name_is_unchanged_unless_it_may_be_a_link() {
    for name in [
        "Analytical Engines Ltd.",
        "J. R. R. Tolkien",
        "J.R.R. Tolkien",
        "A.B.C. GmbH",
        "Acme Inc.",
        "Yahoo!",
        "Müller & Söhne",
        "St. John",
        "Wait... what?",
        "100% Pure, Ltd. (UK)",
        "株式会社 東京",
        "שלום בע״מ",
    ] {
        assert_eq!(unlinked(name), name);
    }
    for (name, text) in [
        ("Booking.com", "Booking. com"),
        ("Booking.com B.V.", "Booking. com B.V."),
        ("Dr.Oetker", "Dr. Oetker"),
        ("re:publica", "re: publica"),
        ("Meet@Work", "Meet@ Work"),
        ("and/or", "and/ or"),
        (
            "go to evil-login.com/verify",
            "go to evil-login. com/ verify",
        ),
        (
            "https://evil.example:8080/a?b=c",
            "https: / / evil. example: 8080/ a?b=c",
        ),
        (
            "evil\u{3002}com evil\u{ff0e}com evil\u{2024}com",
            "evil\u{3002} com evil\u{ff0e} com evil\u{2024} com",
        ),
        ("192.0.2.10", "192. 0. 2. 10"),
        ("\\\\server\\share", "\\ \\ server\\ share"),
        ("a\nb\r\nSubject: c", "a b Subject: c"),
    ] {
        assert_eq!(unlinked(name), text, "{name:?}");
    }
}

#[test]
fn a_name_cannot_end_its_quotation() {
    for (name, english, german) in [
        (
            "Analytical Engines Ltd",
            "“Analytical Engines Ltd”",
            "„Analytical Engines Ltd“",
        ),
        ("Toys“R”Us", "“Toys'R'Us”", "„Toys'R'Us“"),
        ("ООО «Ромашка»", "“ООО 'Ромашка'”", "„ООО 'Ромашка'“"),
        (
            "Acme” is closed. Ring “Acme",
            "“Acme' is closed. Ring 'Acme”",
            "„Acme' is closed. Ring 'Acme“",
        ),
        (
            "Acme“ ist gesperrt. „Acme",
            "“Acme' ist gesperrt. 'Acme”",
            "„Acme' ist gesperrt. 'Acme“",
        ),
        (
            "Acme\" \u{201f}x\u{ff02} \u{301d}y\u{301e}",
            "“Acme' 'x' 'y'”",
            "„Acme' 'x' 'y'“",
        ),
        ("O’Neill & Sons’", "“O’Neill & Sons’”", "„O’Neill & Sons’“"),
    ] {
        let organisation: OrganisationName = name.parse().unwrap();
        assert_eq!(quoted(&organisation, Language::En), english);
        assert_eq!(quoted(&organisation, Language::De), german);
    }
}

proptest! {
    /// In any text, no word has a letter or digit after a separator of addresses, except initials.
    #[test]
    fn no_word_of_a_letter_is_an_address(text in "([a-zA-Z0-9.:/@\\\\\u{3002}\u{ff0e}\u{2024}\u{200d} -]|\\PC){0,80}") {
        for word in unlinked(&text).split(' ') {
            let mut parts = word.split(is_sign).filter(|part| !part.is_empty());
            parts.next();
            prop_assert!(parts.all(|part| part.chars().nth(1).is_none()), "{word:?} of {text:?}");
            prop_assert!(!word.contains("://") && !word.contains("\\\\"), "{word:?} of {text:?}");
        }
        prop_assert!(!unlinked(&text).contains(['\n', '\r']));
    }

    /// Every name that the type accepts stays readable: only blanks are added and only quotation
    /// marks changed.
    #[test]
    fn a_name_keeps_its_letters(text in "\\PC{1,60}") {
        if let Ok(name) = text.parse::<OrganisationName>() {
            let shown = quoted(&name, Language::En);
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let within = letters(name.expose()).replace(is_quotation_mark, "'");
            prop_assert_eq!(letters(&shown), format!("“{within}”"));
        }
    }
}
