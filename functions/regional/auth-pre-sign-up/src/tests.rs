use crate::handler::{Adapters, handle};
use contract::catalogue::Catalogue;
use kernel::EventId;
use outbox::Outbox;
use regional_store::{TenantReader, TenantStore};
use serde_json::json;
use tenancy::{IdempotencyKey, Identifiers, Occasion, SignUpRequest, decide_sign_up};
use testkit::Case;

/// A region where Ada of the events has registered.
async fn adapters() -> Adapters {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let catalogue = Catalogue::bundled().unwrap();
    let request: SignUpRequest = serde_json::from_value(json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": "Ada@engines.example",
        "password": "Difference-Engine-2",
        "plan": "starter",
    }))
    .unwrap();
    let registration = request.validate(&catalogue).unwrap();
    let ids = Identifiers {
        signup: "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d".parse().unwrap(),
        tenant: "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f".parse().unwrap(),
        alias: "23456789abcd".parse().unwrap(),
    };
    let occasion = Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let made = decide_sign_up(&registration, &catalogue, ids, &occasion);
    let key: IdempotencyKey = "a-key-of-the-tests-own".parse().unwrap();
    let store = TenantStore::new(&aws.config, table.clone(), outbox);
    store.register(&made, &key.digest(), &key.fingerprint(&registration)).await.unwrap();
    Adapters { tenants: TenantReader::new(&aws.config, table) }
}

#[tokio::test]
async fn only_a_registered_account_passes_and_passes_unchanged() {
    let adapters = adapters().await;
    for case in testkit::cases("auth-pre-sign-up") {
        let Case { name, payload } = &case;
        let event = serde_json::from_value(payload.clone()).unwrap();
        match handle(&adapters, event).await {
            Ok(event) => {
                assert!(case.is_valid(), "{name} passed");
                let passed = serde_json::to_value(event).unwrap();
                assert_eq!(passed["response"], payload["response"], "{name}: the address is still to be confirmed");
                assert_eq!(passed["userName"], payload["userName"], "{name}");
            }
            Err(refusal) => {
                assert!(!case.is_valid(), "{name} was refused");
                assert_eq!((refusal.kind(), refusal.message()), ("SignUpRefused", "not-registered"), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn an_unreachable_table_lets_nobody_pass() {
    let aws = testkit::aws().await;
    let adapters = Adapters { tenants: TenantReader::new(&aws.config, "no-such-table".to_owned()) };
    let case = testkit::cases("auth-pre-sign-up").into_iter().find(Case::is_valid).unwrap();
    let Err(failure) = handle(&adapters, serde_json::from_value(case.payload).unwrap()).await else {
        panic!("passed without a look");
    };
    assert_eq!(failure.kind(), "RegistrationUnavailable");
    assert!(!failure.message().contains("no-such-table"), "no internals");
}
