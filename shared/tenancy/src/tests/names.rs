//! Names, addresses and passwords as people type them.

use crate::personal::{EmailAddress, OrganisationName, Password, PersonName};
use proptest::prelude::*;

fn check(text: &str, valid: bool) {
    assert_eq!(
        text.parse::<PersonName>().is_ok(),
        valid,
        "{text:?} as a person's name"
    );
    assert_eq!(
        text.parse::<OrganisationName>().is_ok(),
        valid,
        "{text:?} as an organisation's name"
    );
}

const REAL: [&str; 74] = [
    "St. John",
    "J. R. R. Tolkien",
    "J.R.R. Tolkien",
    "Acme Inc.",
    "Dr.Oetker",
    "A.B.C. GmbH",
    "Yahoo!",
    "Müller & Söhne",
    "Mu\u{308}ller",
    "Booking.com",
    "Amazon.com, Inc.",
    "ASP.NET Consulting",
    "S.Ramesh",
    "A.P.J. Abdul Kalam",
    "Md.Rahman",
    "O'Neill",
    "Anne-Marie d’Arc",
    "Jean-Luc Picard",
    "7-Eleven",
    "3M",
    "1&1",
    "H&M",
    "C&A",
    "AT&T",
    "Toys“R”Us",
    "re:publica",
    "Meet@Work",
    "E.ON SE",
    "eBay",
    "¡Hola!",
    "Ångström AB",
    "Đặng Thị Hồng",
    "Łódź Sp. z o.o.",
    "İstanbul A.Ş.",
    "Ελληνικά Α.Ε.",
    "ООО «Ромашка»",
    "Ընկերություն",
    "שלום בע״מ",
    "علی\u{200c}رضا",
    "شركة النور ذ.م.م",
    "क्\u{200d}ष प्रा. लि.",
    "บริษัท จำกัด",
    "株式会社東京",
    "山田\u{3000}太郎",
    "辻\u{e0100}村",
    "주식회사 한국",
    "ᏣᎳᎩ",
    "አማርኛ",
    "ខ្មែរ",
    "❤\u{fe0f} Care",
    "👩\u{200d}🔬 Labs",
    "❤\u{fe0f}\u{200d}🔥",
    "1\u{fe0f}\u{20e3} First",
    "1234567 Canada Inc.",
    "9123-4567 Québec inc.",
    "1000123456 Ontario Inc.",
    "A.C.N. 004 028 077 Pty Ltd",
    "118 118",
    "24/7 Services",
    "1 + 1 = 2",
    "Studio 54+",
    "Since 1990-2020",
    "C++ 1234567 Ltd",
    "ᠰᠠᠷ\u{180e}ᠠ",
    "ക്\u{200d}",
    "ក្រុមហ៊ុន\u{200b}អភិវឌ្ឍន៍",
    "မြန်မာ\u{200b}ကုမ္ပဏီ",
    "Foo @foo.bar",
    "Foo (@foo.bar)",
    "Data: Science",
    "1-800-FLOWERS",
    "Robin K19005550199",
    "Works 190055501990a",
    "X",
];

#[test]
fn real_names_are_accepted() {
    for name in REAL {
        check(name, true);
    }
    assert_eq!(
        "  山田\u{3000}\u{a0}太郎 "
            .parse::<PersonName>()
            .unwrap()
            .expose(),
        "山田 太郎"
    );
    assert_eq!(
        "Mu\u{308}ller".parse::<PersonName>().unwrap().expose(),
        "Müller"
    );
}

#[test]
fn a_name_has_a_visible_character() {
    for unseen in [
        "",
        " ",
        "\u{a0}\u{3000}",
        "\u{3164}",
        "\u{2800}",
        "\u{115f}",
        "\u{1160}",
        "\u{ffa0}",
        "\u{34f}",
        "\u{17b4}",
        "\u{180e}",
        "\u{200b}",
        "\u{200d}",
        "\u{2060}",
        "\u{feff}",
        "\u{fe0f}",
        "\u{e0100}",
        "\u{e0041}\u{e0042}",
        "\u{301}",
        "\u{301}\u{302}",
        "\u{20dd}",
        "\u{1d159}",
        "\u{13441}",
        "\u{fffc}",
        "\u{b4}",
        "\u{a8}",
        ".",
        "-- --",
        "\u{3164}\u{3164} \u{2800}",
        "\u{1680}",
        "\u{e000}",
        "\u{378}",
        "\u{fdd0}",
        "\u{1bca0}",
        "\u{61c}",
    ] {
        check(unseen, false);
    }
}

#[test]
fn a_name_has_no_invisible_characters() {
    for beside in [
        '\u{3164}',
        '\u{2800}',
        '\u{115f}',
        '\u{34f}',
        '\u{e0041}',
        '\u{feff}',
        '\u{2062}',
        '\u{1d173}',
        '\u{e000}',
    ] {
        check(&format!("Ada{beside} Ltd"), false);
    }
}

/// Joiners and variation selectors have a meaning only beside some letters.
#[test]
fn a_misplaced_joiner_is_refused() {
    for joined in [
        "A\u{200d}da",
        "\u{200c}Ada",
        "Ada \u{fe0f}Ltd",
        "Zoé\u{200d}",
        "Zoe\u{301}\u{200c}",
        "x\u{301}\u{200d}y",
        "Б\u{200d}ор",
        "α\u{200c}β",
        "李\u{200d}娜",
        "김\u{200c}철수",
        "1\u{200d}",
        "علی\u{200c}\u{200c}رضا",
        "A\u{fe0f}da",
        "A\u{e0100}da",
        "Б\u{fe00}",
        "A\u{180e}da",
        "李\u{180e}娜",
    ] {
        check(joined, false);
    }
}

#[test]
fn zero_width_spaces_are_removed_from_a_name() {
    let khmer: PersonName = "ភូមិ\u{200b}ថ្មី".parse().unwrap();
    assert_eq!(khmer.expose(), "ភូមិថ្មី");
    for misplaced in [
        "ev\u{200b}il",
        "李\u{200b}娜",
        "\u{200b}ថ្មី",
        "Ada \u{200b}Ltd",
    ] {
        check(misplaced, false);
    }
}

#[test]
fn a_name_is_not_a_link() {
    for link in [
        "go to evil-login.com/verify",
        "HTTPS://EVIL.EXAMPLE",
        "hxxp://evil.example",
        "evil.example:8080",
        "evil.example?x=1",
        "evil.example#x",
        "(evil.example/x)",
        "see:evil.co.uk/x",
        "evil\u{3002}com/verify",
        "evil\u{ff0e}com\u{ff0f}verify",
        "evil\u{2024}com/verify",
        "evil\u{fe52}com/verify",
        "evil\u{ff61}com/verify",
        "evil.com\u{2215}verify",
        "ｅｖｉｌ．ｃｏｍ／ｘ",
        "ev\u{ad}il.com/x",
        "www.evil",
        "WwW.evil.example",
        "www2.evil.example",
        "ｗｗｗ．evil",
        "mailto:eve@evil.example",
        "MAILTO:eve",
        "mail\u{ff1a} eve@evil.example",
        "eve@evil.example",
        "eve+x@192.0.2.1",
        "eve_@evil.example",
        "eve-@evil.example",
        "eve+@evil.example",
        "eve.@evil.example",
        "\"eve\"@evil.example",
        "{eve}@evil.example",
        "eve\u{ff3f}@evil.example",
        "telnet:evil.example",
        "webcal:evil",
        "zoommtg:join",
        "tel:+49123",
        "javascript:alert(1)",
        "192.0.2.1",
        "Call 192.0.2.1 now",
        "192.0.2.1/x",
        "192.0.2.1:80",
        "\\\\server\\share",
        "xn--e1awd7f.com/x",
        "+1 900 555 0199",
        "+19005550199",
        "Call 19005550199",
        "0049900123456",
        "１９００５５５０１９９",
        "Call +49 (0)900 1234567 now",
        "+(44) 20 7946 0958",
        "1-900-555-0199",
        "(900) 555-0199 12",
        "0900/1234567",
        "0900.123.4567",
        "０９００－１２３－４５６７",
        "1\u{2011}900\u{2011}555\u{2011}0199",
        "٠٩٠٠ ١٢٣ ٤٥٦٧",
        "1\u{a0}900\u{a0}555\u{a0}0199",
        "почта.рф/x",
        "//evil.example/x",
    ] {
        check(link, false);
    }
}

/// Parts of links, with characters that hide them.
fn link() -> impl Strategy<Value = String> {
    let host = "[a-z]{1,8}(-[a-z]{1,4})?\\.(com|net|example|co\\.uk|de|xn--p1ai)";
    let address = prop_oneof![
        host.prop_map(|host| format!("https://{host}")),
        host.prop_map(|host| format!("ftp://{host}/x")),
        host.prop_map(|host| format!("{host}/verify")),
        host.prop_map(|host| format!("{host}:8443")),
        host.prop_map(|host| format!("www.{host}")),
        host.prop_map(|host| format!("eve@{host}")),
        host.prop_map(|host| format!("mailto:eve@{host}")),
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")),
        "\\+[1-9][0-9]{6,14}",
        "0[0-9]{3}[ ./-][0-9]{3}[ ./-][0-9]{3,6}",
    ];
    let dot = prop::sample::select(vec![
        ".", "\u{3002}", "\u{ff0e}", "\u{ff61}", "\u{2024}", "\u{fe52}",
    ]);
    (
        address,
        dot,
        any::<bool>(),
        "[A-Z][a-z]{0,6} ?[(\"]?",
        "[)\",]? ?[a-z]{0,6}",
    )
        .prop_map(|(address, dot, shouts, before, after)| {
            let before = if before.ends_with(char::is_alphabetic) {
                format!("{before} ")
            } else {
                before
            };
            let after = if after.starts_with(char::is_alphabetic) {
                format!(" {after}")
            } else {
                after
            };
            let address = if shouts {
                address.to_uppercase()
            } else {
                address
            };
            format!("{before}{}{after}", address.replace('.', dot))
        })
}

proptest! {
    #[test]
    fn no_link_is_a_name(text in link()) {
        prop_assert!(text.parse::<OrganisationName>().is_err(), "{text:?}");
        prop_assert!(text.parse::<PersonName>().is_err(), "{text:?}");
    }

    /// A stored name can be parsed again and stays the same.
    #[test]
    fn a_parsed_name_is_in_normal_form(text in "\\PC{0,40}") {
        if let Ok(name) = text.parse::<PersonName>() {
            let again: PersonName = name.expose().parse().unwrap();
            prop_assert_eq!(again.expose(), name.expose());
        }
    }

    /// The same for texts of characters that change their neighbours or are changed by them.
    #[test]
    fn a_parsed_name_of_joiners_and_marks_is_in_normal_form(
        text in "[aé1 \u{301}\u{200b}\u{200c}\u{200d}\u{fe0f}\u{180e}\u{e0100}က\u{1025}\u{102e}ខ\u{17d2}ไ\u{e34}ᠠعक\u{94d}李가❤👩+-]{0,12}",
    ) {
        if let Ok(name) = text.parse::<PersonName>() {
            let again = name.expose().parse::<PersonName>();
            prop_assert_eq!(again.as_ref().map(PersonName::expose).ok(), Some(name.expose()), "{:?}", text);
        }
    }

    #[test]
    fn every_address_gives_a_name(local in "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\\.[a-zA-Z0-9/@-]{1,8})?") {
        if let Ok(email) = format!("{local}@engines.example").parse::<EmailAddress>() {
            let name = PersonName::of_address(&email);
            prop_assert!(name.expose().parse::<PersonName>().is_ok(), "{local}: {}", name.expose());
        }
    }

    #[test]
    fn every_domain_gives_a_name(subdomain in "[0-9]{1,4}(-[0-9]{1,4}){0,4}|[0-9]{1,63}") {
        let email: EmailAddress = format!("{subdomain}@{subdomain}.example").parse().unwrap();
        let name = PersonName::of_address(&email);
        prop_assert!(name.expose().parse::<PersonName>().is_ok(), "{subdomain}: {}", name.expose());
    }

    /// A password is the same however a keyboard composes it. The normal form counts for its
    /// length.
    #[test]
    fn a_password_is_the_same_on_every_keyboard(text in "\\PC{4,40}") {
        use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
        let text = format!("Aa1{text}Zz9");
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned();
        let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(&text).into_owned();
        let parsed = |text: &str| text.parse::<Password>().map(|password| password.expose().to_owned()).ok();
        prop_assert_eq!(parsed(&composed), parsed(&decomposed));
        if let Some(parsed) = parsed(&text) {
            prop_assert!((12..=256).contains(&parsed.chars().count()));
        }
    }

    #[test]
    fn every_text_is_parsed_or_refused(text in any::<String>()) {
        let _ = (text.parse::<PersonName>(), text.parse::<EmailAddress>(), text.parse::<Password>());
    }
}

#[test]
fn a_password_is_measured_in_its_normal_form() {
    let parsed = |text: &str| {
        text.parse::<Password>()
            .map(|password| password.expose().to_owned())
            .ok()
    };
    let zurich = Some("Zürich-Engine-2".to_owned());
    for typed in [
        "Zürich-Engine-2",
        "Zu\u{308}rich-Engine-2",
        "Z\u{fc}rich-Engine-\u{ff12}",
    ] {
        assert_eq!(parsed(typed), zurich, "{typed:?}");
    }
    // Eleven characters, typed as twelve code points.
    assert_eq!(parsed("Zu\u{308}rich-Eng2"), None);
    assert_eq!(
        parsed("Aa1 in  the mid"),
        Some("Aa1 in  the mid".to_owned())
    );
    assert_eq!(
        parsed("\u{a0}Difference-Engine-2"),
        None,
        "a blank at its end, in its normal form"
    );
    assert_eq!(
        parsed(&format!("Aa1{}", "x".repeat(253))).map(|parsed| parsed.len()),
        Some(256)
    );
    assert_eq!(parsed(&format!("Aa1{}", "x".repeat(254))), None);
    assert_eq!(
        parsed(&format!("Aa1{}", "e\u{301}".repeat(253))).map(|parsed| parsed.chars().count()),
        Some(256)
    );
    // One ligature of eighteen letters.
    assert_eq!(parsed(&format!("Aa1{}", "\u{fdfa}".repeat(15))), None);
    for weak in [
        "short-Aa1",
        "no-capital-letter-1",
        "NO-SMALL-LETTER-1",
        "No-digit-at-all",
        "Tab\there-Aa1-Aa1",
    ] {
        assert_eq!(parsed(weak), None, "{weak}");
    }
}

#[test]
fn an_address_has_to_be_one_that_receives_mail() {
    for valid in [
        "ada@engines.example",
        " Ada.Lovelace+tag@Engines.Example ",
        "a@b.de",
        "o'neill@x.example",
        "!#$%&'*+-/=?^_`{|}~@x.example",
        "a@xn--bcher-kva.example",
        "a@x.xn--p1ai",
        "a@1and1.com",
        "a@a-b.c--d.example",
        "a@163.com",
    ] {
        assert!(valid.parse::<EmailAddress>().is_ok(), "{valid}");
    }
    let long_subdomain = format!("a@{}.example", "x".repeat(64));
    let long_local = format!("{}@x.example", "x".repeat(65));
    let long = format!("a@{}example", "x.".repeat(125));
    for invalid in [
        "",
        "a",
        "@",
        "a@",
        "@x.example",
        "a@b@x.example",
        "a@127.0.0.1",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@::1",
        "a@2130706433",
        "a@0x7f.0.0.1",
        "a@example.123",
        "a@example.1a",
        "a@foo#bar.example",
        "a@foo/bar.example",
        "a@foo?bar.example",
        "a@foo_bar.example",
        "a@foo:25.example",
        "a@x.example:25",
        "a@localhost",
        "a@com",
        "a@.example",
        "a@x..example",
        "a@x.example.",
        "a@-x.example",
        "a@x-.example",
        "a@x.e",
        "a@x.c0m",
        "a@x.-e",
        "a@xn--.example",
        "a@xn--a.example",
        "a@x.xn--zzzzzzzz99999",
        "a@ab--c.example",
        "a@bücher.example",
        "a@x\u{3002}example",
        "a@x.example\u{200b}",
        "ä@x.example",
        "ａ@x.example",
        "a b@x.example",
        "a@x .example",
        ".a@x.example",
        "a.@x.example",
        "a..b@x.example",
        "\"a b\"@x.example",
        "a\\@x.example",
        "<a@x.example>",
        "Ada <a@x.example>",
        "a@x.example,b@x.example",
        "mailto:a@x.example",
        "a(b)@x.example",
        "a;b@x.example",
        "a@x.example\nb",
        "a@*.example",
        "a@x.example%00",
        &long_subdomain,
        &long_local,
        &long,
    ] {
        assert!(invalid.parse::<EmailAddress>().is_err(), "{invalid:?}");
    }
}
