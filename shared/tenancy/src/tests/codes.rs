use crate::code::{ConfirmationCode, UndoCode};
use crate::invitation::InvitationCode;
use proptest::prelude::*;

/// Characters that get into a pasted code: blanks, line ends, invisible characters, and hyphens.
const STRAY: [&str; 14] = [
    " ", "\t", "\r\n", "\u{a0}", "\u{2009}", "\u{202f}", "\u{3000}", "\u{200b}", "\u{200d}",
    "\u{feff}", "\u{2060}", "\u{ad}", "-", "\u{2011}",
];

fn invitation() -> InvitationCode {
    InvitationCode::from_random(
        "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d".parse().unwrap(),
        [7; 16],
    )
}

/// A code with stray characters around and inside.
fn strewn(code: &str, strays: &[(usize, usize)]) -> String {
    let mut letters: Vec<String> = code.chars().map(String::from).collect();
    for (at, stray) in strays {
        let at = at % (letters.len() + 1);
        letters.insert(at, STRAY[stray % STRAY.len()].to_owned());
    }
    letters.concat()
}

#[test]
fn a_pasted_code_equals_the_mailed_one() {
    for (text, code) in [
        ("123456", "123456"),
        (" 123456\n", "123456"),
        ("123 456", "123456"),
        ("123-456", "123456"),
        ("\u{feff}123\u{a0}456\u{200b}", "123456"),
        ("１２３４５６", "123456"),
        ("0000", "0000"),
    ] {
        assert_eq!(
            text.parse::<ConfirmationCode>().unwrap().expose(),
            code,
            "{text:?}"
        );
    }
    let long = " ".repeat(600) + "123456";
    for text in [
        "",
        " ",
        "123",
        "1234567890123",
        "12345a",
        "١٢٣٤٥٦",
        "12.34.56",
        "+123456",
        &long,
    ] {
        assert!(text.parse::<ConfirmationCode>().is_err(), "{text:?}");
    }
    let undo = UndoCode::from_random([0xab; 16]);
    assert_eq!(
        undo.reveal().to_uppercase().parse::<UndoCode>().unwrap(),
        undo
    );
    let mut other = undo.reveal();
    other.replace_range(..1, "+");
    for text in [
        "",
        &undo.reveal()[1..],
        &format!("{}0", undo.reveal()),
        &other,
        "g",
    ] {
        assert!(text.parse::<UndoCode>().is_err(), "{text}");
    }
    let code = invitation().reveal();
    assert_eq!(
        code.to_uppercase().parse::<InvitationCode>().unwrap(),
        invitation()
    );
    for text in [
        "",
        ".",
        &code[1..],
        &code.replace('.', ""),
        &code.replace('.', ".."),
        &format!("{{{code}}}"),
    ] {
        assert!(text.parse::<InvitationCode>().is_err(), "{text}");
    }
    assert_eq!(
        format!("{undo:?} {:?}", "1234".parse::<ConfirmationCode>().unwrap()),
        "UndoCode(..) ConfirmationCode(..)"
    );
}

proptest! {
    #[test]
    fn stray_characters_do_not_change_a_code(strays in prop::collection::vec((any::<usize>(), any::<usize>()), 0..30)) {
        let confirmation: ConfirmationCode = strewn("048151", &strays).parse().unwrap();
        prop_assert_eq!(confirmation.expose(), "048151");
        let undo = UndoCode::from_random([9; 16]);
        prop_assert_eq!(strewn(&undo.reveal(), &strays).parse::<UndoCode>().unwrap().digest(), undo.digest());
        let invitation = invitation();
        let found: InvitationCode = strewn(&invitation.reveal(), &strays).parse().unwrap();
        prop_assert_eq!(found.digest(), invitation.digest());
    }

    #[test]
    fn every_text_is_parsed_or_refused(text in any::<String>()) {
        let _ = (text.parse::<ConfirmationCode>(), text.parse::<UndoCode>(), text.parse::<InvitationCode>());
    }
}
