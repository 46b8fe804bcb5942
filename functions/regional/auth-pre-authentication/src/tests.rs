use crate::handler::handle;
use serde_json::{Value, json};
use testkit::Case;

/// The code of the refusal, if there is one.
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
fn every_event_gets_its_response() {
    for Case { name, payload } in testkit::cases("auth-pre-authentication") {
        let wanted = match name.as_str() {
            name if name.starts_with("valid-") => None,
            "invalid-address-not-verified" => Some("address-not-verified"),
            _ => Some("other-tenant"),
        };
        assert_eq!(answer(payload).as_deref(), wanted, "{name}");
    }
}

/// The same request gets the same response before the password check, whether the person has an
/// account or not.
#[test]
fn no_response_discloses_who_has_an_account() {
    let client_data = [
        json!({}),
        json!({ "alias": "23456789abcd" }),
        json!({ "alias": "zzzzzzzzzzzz" }),
        json!({ "alias": "23456789abcd", "email": "ada@engines.example" }),
        json!({ "alias": "zzzzzzzzzzzz", "email": "ada@engines.example" }),
        json!({ "alias": "", "email": "" }),
    ];
    for data in client_data {
        let with = |name: &str| {
            let mut payload = case(name);
            payload["request"]["validationData"] = data.clone();
            payload["userName"] = case("valid-sign-in")["userName"].clone();
            answer(payload)
        };
        let of_account = with("valid-sign-in");
        assert_eq!(with("valid-unknown-account"), of_account, "{data}");
        assert_eq!(with("valid-unconfirmed-account"), of_account, "{data}");
    }
}

/// The username is a function of alias and address, however the address is written.
#[test]
fn the_address_is_compared_in_its_normal_form() {
    let mut payload = case("valid-sign-in-to-tenant");
    payload["request"]["validationData"]["email"] = json!("ADA@Engines.example");
    assert_eq!(answer(payload), None);
}
