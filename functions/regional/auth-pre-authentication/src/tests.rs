use crate::handler::handle;
use serde_json::{Value, json};
use testkit::Case;

/// The refusal's code, or nothing.
fn answer(payload: Value) -> Option<String> {
    let answered = handle(serde_json::from_value(payload).unwrap());
    answered.err().map(|refusal| refusal.message().to_owned())
}

fn case(name: &str) -> Value {
    testkit::cases("auth-pre-authentication")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[test]
fn every_event_gets_its_answer() {
    for Case { name, payload } in testkit::cases("auth-pre-authentication") {
        let wanted = match name.as_str() {
            name if name.starts_with("valid-") => None,
            "invalid-address-not-verified" => Some("address-not-verified"),
            _ => Some("other-tenant"),
        };
        assert_eq!(answer(payload).as_deref(), wanted, "{name}");
    }
}

/// With the same request, who has an account and who has none get the same answer before the
/// password.
#[test]
fn nothing_tells_who_has_an_account() {
    let sayings = [
        json!({}),
        json!({ "alias": "23456789abcd" }),
        json!({ "alias": "zzzzzzzzzzzz" }),
        json!({ "alias": "23456789abcd", "email": "ada@engines.example" }),
        json!({ "alias": "zzzzzzzzzzzz", "email": "ada@engines.example" }),
        json!({ "alias": "", "email": "" }),
    ];
    for said in sayings {
        let with = |name: &str| {
            let mut payload = case(name);
            payload["request"]["validationData"] = said.clone();
            payload["userName"] = case("valid-sign-in")["userName"].clone();
            answer(payload)
        };
        let of_account = with("valid-sign-in");
        assert_eq!(with("valid-unknown-account"), of_account, "{said}");
        assert_eq!(with("valid-unconfirmed-account"), of_account, "{said}");
    }
}

/// The name is a function of label and address, however the address is written.
#[test]
fn the_address_is_compared_as_the_name_is_made() {
    let mut payload = case("valid-sign-in-to-tenant");
    payload["request"]["validationData"]["email"] = json!("ADA@Engines.example");
    assert_eq!(answer(payload), None);
}
