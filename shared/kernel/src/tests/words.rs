//! Values that are one of a few words: stored, sent and shown alike.

use crate::*;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Each value with its word, as serde writes and reads it and as the value itself returns it.
fn check_words<T: Serialize + DeserializeOwned + PartialEq + Debug + Copy>(
    rows: &[(T, &str)],
    as_str: impl Fn(T) -> &'static str,
) {
    for (value, word) in rows {
        assert_eq!(as_str(*value), *word);
        assert_eq!(serde_json::to_value(value).unwrap(), *word);
        assert_eq!(serde_json::from_value::<T>((*word).into()).unwrap(), *value);
    }
}

/// The same words, displayed and parsed; another word is refused.
fn check_texts<T: std::str::FromStr<Err = Invalid> + std::fmt::Display + PartialEq + Debug>(
    rows: &[(T, &str)],
) {
    for (value, word) in rows {
        assert_eq!(value.to_string(), *word);
        assert_eq!(word.parse::<T>().unwrap(), *value);
        assert!(
            word.to_uppercase().parse::<T>().is_err(),
            "{word} in capitals"
        );
        assert!(
            format!(" {word}").parse::<T>().is_err(),
            "{word} after a blank"
        );
    }
    assert!("".parse::<T>().is_err());
    assert!("other".parse::<T>().is_err());
}

#[test]
fn a_mode_is_one_word_and_only_a_sovereign_region_bills_itself() {
    let rows = [
        (Mode::Shared, "shared"),
        (Mode::Regional, "regional"),
        (Mode::Sovereign, "sovereign"),
    ];
    check_words(&rows, Mode::as_str);
    check_texts(&rows);
    assert_eq!(
        rows.map(|(mode, _)| mode.bills_itself()),
        [false, false, true]
    );
}

#[test]
fn a_language_is_its_code() {
    let rows = [(Language::En, "en"), (Language::De, "de")];
    check_words(&rows, Language::as_str);
    check_texts(&rows);
    assert_eq!(Language::default(), Language::En);
}

#[test]
fn a_window_size_is_one_word() {
    let rows = [
        (WindowSize::Minute, "minute"),
        (WindowSize::Hour, "hour"),
        (WindowSize::Day, "day"),
        (WindowSize::Month, "month"),
    ];
    check_words(&rows, WindowSize::as_str);
    check_texts(&rows);
}

#[test]
fn statuses_tiers_and_roles_are_one_word() {
    let statuses = [
        (TenantStatus::Pending, "pending"),
        (TenantStatus::Provisioning, "provisioning"),
        (TenantStatus::Active, "active"),
        (TenantStatus::Suspended, "suspended"),
        (TenantStatus::Closing, "closing"),
        (TenantStatus::Closed, "closed"),
        (TenantStatus::Relocating, "relocating"),
    ];
    check_words(&statuses, TenantStatus::as_str);
    assert_eq!(statuses.map(|(status, _)| status), TenantStatus::ALL);
    assert_eq!(
        TenantStatus::ALL.map(|status| status.to_string()),
        statuses.map(|(_, word)| word.to_owned())
    );
    check_words(&[(Tier::Pool, "pool"), (Tier::Silo, "silo")], Tier::as_str);
    let roles = [(Role::Admin, "admin"), (Role::Member, "member")];
    check_words(&roles, Role::as_str);
    assert_eq!(roles.map(|(role, _)| role.to_string()), ["admin", "member"]);
}

/// The queries of a group: the value of a dimension, the group of some dimensions, and whether it
/// includes another.
#[test]
fn a_group_answers_queries_of_its_values() {
    let code = |text: &str| text.parse::<DimensionCode>().unwrap();
    let group = |text: &str| text.parse::<UsageGroup>().unwrap();
    let (model, kind, other) = (code("model"), code("kind"), code("other"));
    let both = UsageGroup::of([(&model, &code("large")), (&kind, &code("output"))]);
    assert_eq!(both, group("model=large,kind=output"));
    assert_eq!(both.value(&model), Some("large"));
    assert_eq!(both.value(&kind), Some("output"));
    assert_eq!(both.value(&other), None);
    assert_eq!(UsageGroup::default().value(&model), None);
    assert_eq!(
        both.narrowed(std::slice::from_ref(&kind)),
        group("kind=output")
    );
    assert_eq!(both.narrowed(&[kind, model]), both);
    assert_eq!(both.narrowed(&[other]), UsageGroup::default());
    for (wanted, includes) in [
        ("", true),
        ("model=large", true),
        ("kind=output", true),
        ("kind=output,model=large", true),
        ("kind=input", false),
    ] {
        assert_eq!(both.includes(&group(wanted)), includes, "{wanted}");
    }
    assert!(!UsageGroup::default().includes(&both));
}
