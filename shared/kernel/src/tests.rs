mod domains;
mod moments;
mod numbers;
mod places;
mod windows;
mod words;

use crate::*;
use proptest::prelude::*;

fn check<T: std::str::FromStr + std::fmt::Display>(rows: &[(&str, bool)]) {
    for (text, valid) in rows {
        let parsed = text.parse::<T>();
        assert_eq!(parsed.is_ok(), *valid, "{text:?}");
        if let Ok(value) = parsed {
            assert_eq!(value.to_string(), *text);
        }
    }
}

#[test]
fn codes_hold_no_free_text() {
    check::<PlanCode>(&[
        ("starter", true),
        ("a", true),
        ("eu-pro_2", true),
        ("", false),
        ("-a", false),
        ("a-", false),
        ("Jane Doe", false),
        ("jane@example.com", false),
        ("ä", false),
        (&"x".repeat(49), false),
    ]);
    check::<RegionCode>(&[
        ("eu-central-1", true),
        ("us-gov-west-1", true),
        ("eu-central-0", false),
        ("eu-central", false),
        ("EU-central-1", false),
        ("e-central-1", false),
    ]);
    check::<Alias>(&[
        ("23456789abcd", true),
        ("23456789abc", false),
        ("il23456789ab", false),
    ]);
    check::<SubdomainDigest>(&[
        (&"0f".repeat(32), true),
        (&"0F".repeat(32), false),
        (&"0".repeat(63), false),
        (&"0".repeat(65), false),
        ("acme", false),
    ]);
    check::<BillingPeriod>(&[
        ("2026-11", true),
        ("2026-00", false),
        ("2026-13", false),
        ("2026-1", false),
        ("+026-11", false),
    ]);
    check::<TenantId>(&[
        ("01890a5d-ac96-774b-bcce-b302099a8057", true),
        ("01890A5D-AC96-774B-BCCE-B302099A8057", false),
        ("01890a5dac96774bbcceb302099a8057", false),
    ]);
}

#[test]
fn a_value_that_is_not_a_string_is_refused() {
    let refusal = serde_json::from_str::<TenantId>("[1]")
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("expected a text"), "{refusal}");
}

/// The spellings that the uuid crate reads as one UUID, and some that look like one to a person.
fn other_spellings(canonical: &str) -> Vec<String> {
    let simple = canonical.replace('-', "");
    let mut spellings = vec![
        simple.clone(),
        simple.to_uppercase(),
        format!("{{{canonical}}}"),
        format!("urn:uuid:{canonical}"),
        format!("URN:UUID:{canonical}"),
        format!(" {canonical}"),
        format!("{canonical} "),
        format!("{canonical}\n"),
        format!("{canonical}\u{0}"),
        format!("{canonical}\u{200b}"),
        format!("\u{feff}{canonical}"),
        canonical.replace('-', "\u{2010}"),
        canonical.replace('-', "\u{2212}"),
        canonical.replace('-', "_"),
        canonical[..35].to_owned(),
        format!("{canonical}0"),
        String::new(),
    ];
    // Digits and letters outside ASCII: full width, Cyrillic, Arabic-Indic.
    for (ascii, alike) in [
        ('0', '\u{ff10}'),
        ('1', '\u{661}'),
        ('a', '\u{430}'),
        ('c', '\u{441}'),
        ('e', '\u{ff45}'),
    ] {
        spellings.extend(
            canonical
                .contains(ascii)
                .then(|| canonical.replace(ascii, &alike.to_string())),
        );
    }
    let upper = canonical.to_uppercase();
    spellings.extend((upper != canonical).then_some(upper));
    spellings
}

proptest! {
    #[test]
    fn aliases_parse_back(bytes in any::<[u8; 16]>()) {
        let alias = Alias::from_random(bytes);
        prop_assert_eq!(alias.as_str().parse::<Alias>().unwrap(), alias);
    }

    /// In a path and as a member of a document alike.
    #[test]
    fn an_id_has_one_spelling(bytes: [u8; 16]) {
        let uuid = uuid::Uuid::from_bytes(bytes);
        let canonical = uuid.hyphenated().to_string();
        prop_assert_eq!(canonical_uuid(&canonical), Some(uuid));
        let ids = (
            canonical.parse::<TenantId>().ok(),
            read::<TenantId>(&canonical).ok(),
            read::<SignupId>(&canonical).ok().map(|id| id.to_string()),
        );
        let tenant = TenantId::from_uuid(uuid);
        prop_assert_eq!(ids, (Some(tenant), Some(tenant), Some(canonical.clone())));
        for other in other_spellings(&canonical) {
            prop_assert_eq!(canonical_uuid(&other), None, "{:?}", &other);
            prop_assert!(other.parse::<TenantId>().is_err(), "{:?}", &other);
            prop_assert!(read::<TenantId>(&other).is_err(), "{:?}", &other);
            prop_assert!(read::<EventId>(&other).is_err(), "{:?}", &other);
        }
    }
}

/// Deserializes a document that is this text.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(serde::de::value::StrDeserializer::new(text))
}

#[test]
fn groups_and_anchors_hold_no_free_text() {
    check::<UsageGroup>(&[
        ("", true),
        ("model=large", true),
        ("model=large,kind=input", true),
        ("model", false),
        ("model=", false),
        ("model=Jane Doe", false),
        ("model=large,", false),
        ("a=a,b=b,c=c,d=d", true),
        ("a=a,b=b,c=c,d=d,e=e", false),
    ]);
    check::<BillingAnchor>(&[
        ("00:00", true),
        ("23:59", true),
        ("24:00", false),
        ("06:60", false),
        ("6:30", false),
        ("+6:30", false),
    ]);
    check::<WindowSize>(&[
        ("minute", true),
        ("hour", true),
        ("day", true),
        ("month", true),
        ("week", false),
    ]);
}
