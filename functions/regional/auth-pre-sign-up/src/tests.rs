use crate::handler::{Adapters, handle};
use kernel::Role;
use regional_store::TenantReader;
use tenancy::Username;
use tenantkit::{Newcomer, Region};
use testkit::Case;

/// A region where Ada of the events has registered, is active, and has invited Charles, who accepted.
async fn region() -> Region {
    let region = tenantkit::region().await;
    let made = region.activate(&Newcomer::ada()).await;
    region.add_user(&made, "charles@engines.example", Role::Member, Newcomer::ada().at).await;
    region
}

fn adapters(region: &Region) -> Adapters {
    Adapters { tenants: region.tenants.reader().clone() }
}

#[tokio::test]
async fn only_a_registered_account_passes_and_passes_unchanged() {
    let adapters = adapters(&region().await);
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

/// The events name the user whom the invitation is for.
#[test]
fn the_invited_person_of_the_events_is_charles() {
    let charles = Username::of(&Newcomer::ada().alias, &"charles@engines.example".parse().unwrap()).to_string();
    let of_charles = testkit::cases("auth-pre-sign-up").into_iter().filter(|case| case.name.contains("invited"));
    let names: Vec<_> = of_charles.map(|case| case.payload["userName"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() == 2 && names.iter().all(|name| *name == charles), "{names:?} are not {charles}");
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
