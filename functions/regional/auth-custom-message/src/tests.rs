use crate::handler::{Adapters, handle};
use kernel::Language;
use serde_json::{Value, json};
use tenancy::decide_profile;
use tenant_store::{LoadOptions, MailTally, Taken, TenantReader};
use tenantkit::{Newcomer, Region};
use testkit::Case;

const ADDRESS: &str = "https://23456789abcd.app.example.com";
/// The events with which an account would get another address.
const CHANGES: [&str; 2] = ["invalid-changed-address", "invalid-verification"];
/// The event of an account that is created without a mail.
const WITHHELD: &str = "invalid-withheld-mail";

/// A region where Ada of the events has registered, and has not confirmed her address yet.
async fn region(language: Language) -> Region {
    let region = tenantkit::region().await;
    let made = region.register(&Newcomer::ada()).await;
    let by = made.user.username;
    let chosen = region.change(
        made.tenant.id,
        LoadOptions::TENANT,
        Newcomer::ada().at,
        |loaded, context| {
            Ok(Some(decide_profile(
                &loaded.state,
                None,
                Some(language),
                by,
                context,
            )))
        },
    );
    chosen.await;
    region
}

fn adapters(region: &Region) -> Adapters {
    let addresses = "https://{alias}.app.example.com".parse().unwrap();
    let tenants = region.tenants.reader().clone();
    Adapters {
        addresses,
        mails: MailTally::new(tenants.clone(), 9),
        tenants,
    }
}

/// The subject and the text of the response.
async fn worded(adapters: &Adapters, payload: Value) -> (Value, String) {
    let answered = handle(adapters, serde_json::from_value(payload).unwrap())
        .await
        .unwrap();
    let response = serde_json::to_value(answered).unwrap()["response"].clone();
    assert_eq!(response["smsMessage"], Value::Null);
    (
        response["emailSubject"].clone(),
        response["emailMessage"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

fn case(name: &str) -> Value {
    testkit::cases("auth-custom-message")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn every_event_gets_its_letter() {
    let adapters = adapters(&region(Language::En).await);
    let cases = testkit::cases("auth-custom-message").into_iter();
    for Case { name, payload } in
        cases.filter(|case| !CHANGES.contains(&case.name.as_str()) && case.name != WITHHELD)
    {
        let (subject, text) = worded(&adapters, payload).await;
        let wanted = match name.as_str() {
            "valid-sign-up" | "valid-resend" | "invalid-unknown-account" => {
                json!("Confirm your e-mail address")
            }
            "valid-forgotten-password" | "valid-federated-account" => {
                json!("Choose a new password")
            }
            _ => Value::Null,
        };
        assert_eq!(subject, wanted, "{name}");
        assert_eq!(text.contains("{####}"), !wanted.is_null(), "{name}: {text}");
        let known =
            name.starts_with("valid-") && name != "valid-federated-account" && !wanted.is_null();
        assert_eq!(text.contains(ADDRESS), known, "{name}: {text}");
        assert!(
            !text.to_lowercase().contains("ngines") && !text.contains("Ada"),
            "{name}: nobody is named"
        );
        assert!(
            text.chars().count() < 20_000,
            "{name}: Cognito takes no more"
        );
    }
}

/// A mailed code would complete a change of the address from which the username is computed.
#[tokio::test]
async fn an_address_cannot_be_changed() {
    let adapters = adapters(&region(Language::En).await);
    for name in CHANGES {
        let refused = handle(&adapters, serde_json::from_value(case(name)).unwrap())
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind(), refused.message()),
            ("MailRefused", "address-is-fixed"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_letter_is_in_the_tenants_language() {
    let region = region(Language::De).await;
    let (subject, text) = worded(&adapters(&region), case("valid-sign-up")).await;
    assert_eq!(subject, "Bestätigen Sie Ihre E-Mail-Adresse");
    assert!(
        text.contains(&format!("Ihr Arbeitsbereich: {ADDRESS}<br>")),
        "{text}"
    );
    let without = Adapters {
        addresses: "".parse().unwrap(),
        ..adapters(&region)
    };
    let (_, text) = worded(&without, case("valid-sign-up")).await;
    assert!(
        text.contains("Code: {####}") && !text.contains("Arbeitsbereich"),
        "{text}"
    );
}

/// A code in English helps more than none.
#[tokio::test]
async fn an_unreachable_table_does_not_stop_mails() {
    let aws = testkit::aws().await;
    let tenants = TenantReader::new(&aws.config, "no-such-table".to_owned());
    let adapters = Adapters {
        addresses: "https://{alias}.app.example.com".parse().unwrap(),
        mails: MailTally::new(tenants.clone(), 9),
        tenants,
    };
    let (subject, text) = worded(&adapters, case("valid-forgotten-password")).await;
    assert_eq!(subject, "Choose a new password");
    assert!(
        text.contains("{####}") && !text.contains("23456789abcd"),
        "{text}"
    );
}

/// The refusal has the code by which signup-api knows that the account was created.
#[tokio::test]
async fn a_mail_is_withheld_where_the_address_has_to_wait() {
    let adapters = adapters(&region(Language::En).await);
    let refused = handle(&adapters, serde_json::from_value(case(WITHHELD)).unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind(), refused.message()),
        ("MailRefused", identity::MAIL_WITHHELD)
    );
    let mut other = case(WITHHELD);
    other["request"]["clientMetadata"]["mail"] = json!("send");
    assert_eq!(
        worded(&adapters, other).await.0,
        "Confirm your e-mail address"
    );
}

/// A refusal would disclose who has an account: the pool calls the trigger only for existing ones.
#[tokio::test]
async fn no_other_code_is_withheld() {
    let adapters = adapters(&region(Language::En).await);
    for (source, subject) in [
        ("CustomMessage_ForgotPassword", "Choose a new password"),
        ("CustomMessage_ResendCode", "Confirm your e-mail address"),
    ] {
        let mut payload = case(WITHHELD);
        payload["triggerSource"] = json!(source);
        assert_eq!(worded(&adapters, payload).await.0, subject, "{source}");
    }
}

/// Codes for forgotten passwords come from the pool itself. They count among all mails of an
/// address, up to the pool's share, so that their requesters leave room for others. They are never
/// refused.
#[tokio::test]
async fn forgotten_passwords_count_among_the_mails_of_an_address() {
    let region = region(Language::En).await;
    let adapters = adapters(&region);
    let email = "ada@engines.example".parse().unwrap();
    for _ in 0..3 {
        // As Cognito does when it got no response in time.
        assert_eq!(
            worded(&adapters, case("valid-forgotten-password")).await.0,
            "Choose a new password"
        );
    }
    let mut taken = 0;
    for n in 0..9 {
        let by = tenancy::Asker::network(&format!("198.51.{n}.1"));
        let mark = tenancy::KeyDigest::of("mail", &n.to_string());
        taken += u32::from(
            adapters
                .mails
                .take(&email, &by, &mark, runtime::now())
                .await
                .unwrap()
                == Taken::Yes,
        );
    }
    assert!(
        (7..=8).contains(&taken),
        "one of nine is counted, or two where a turn of the clock is between: {taken}"
    );
    assert_eq!(
        worded(&adapters, case("valid-forgotten-password")).await.0,
        "Choose a new password",
        "beyond the limit"
    );
}
