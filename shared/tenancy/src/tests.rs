mod addresses;
mod alert_thresholds;
mod clients;
mod closing;
mod codes;
mod federation;
mod laws;
mod life;
mod mails;
mod members;
mod names;
mod policies;
mod provisioning;
mod registration;
mod subdomain;

use crate::*;
use catalogue::Catalogue;
use kernel::{Alias, EventId, SignupId, TenantId, TenantStatus, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

fn context_at(now: &str) -> Context {
    Context {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(Uuid::from_u128(3)),
        now: now.parse().unwrap(),
    }
}

fn context() -> Context {
    context_at("2026-11-20T10:00:00Z")
}

fn settings(mode: &str) -> Settings {
    let text = format!(
        "provisioning={mode} builder_toolkit=true answer_minutes=60 confirm_hours=24 grace_days=30 retention_days=10 hosted_zone="
    );
    text.parse().unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::bundled().unwrap()
}

fn documents() -> Documents {
    Documents {
        terms: "2026-10".parse().unwrap(),
        data_processing: "7".parse().unwrap(),
    }
}

fn requirements() -> Requirements {
    Requirements {
        documents: documents(),
        disposable: "mailinator.com, trash.example".parse().unwrap(),
    }
}

fn ids() -> Identifiers {
    Identifiers {
        signup: SignupId::from_uuid(Uuid::from_u128(1)),
        tenant: TenantId::from_uuid(Uuid::from_u128(2)),
        alias: Alias::from_random([7; 16]),
        onboarding: Some("00000000-0000-0000-0000-00000000000a".parse().unwrap()),
    }
}

fn body() -> Value {
    json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": "Ada@Engines.Example",
        "password": "Difference-Engine-2",
        "plan": "starter",
        "terms": "2026-10",
        "data_processing": "7",
    })
}

fn validate(body: Value) -> Result<Registration, Vec<FieldProblem>> {
    serde_json::from_value::<SignUpRequest>(body)
        .unwrap()
        .validate(&catalogue(), &requirements())
}

fn sign_up() -> SignUp {
    let registration = validate(body()).unwrap();
    decide_sign_up(
        &registration,
        &catalogue(),
        &documents(),
        ids(),
        &settings("auto"),
        &context(),
    )
}

/// A tenant after its sign-up, with the given status.
fn state(status: TenantStatus) -> State {
    let made = sign_up();
    State {
        tenant: Tenant {
            status,
            ..made.tenant
        },
        signup: Some(made.signup),
    }
}

/// The stored state after a change set.
fn after(before: &State, changes: ChangeSet) -> State {
    assert_eq!(
        changes.before, before.tenant,
        "a change set belongs to the tenant that it was decided on"
    );
    assert_eq!(
        changes.tenant.generation,
        before.tenant.generation.next(),
        "every change set increments the generation"
    );
    State {
        tenant: changes.tenant,
        signup: changes.signup.or_else(|| before.signup.clone()),
    }
}

/// The kinds of the events of a change set, in order.
fn published(changes: &ChangeSet) -> Vec<String> {
    let name = |event: &TenantEvent| match event {
        TenantEvent::Status(event) => {
            format!("status:{}", json!(event.data.reason).as_str().unwrap())
        }
        TenantEvent::PolicyApplied(event) => format!("applied:{}", event.data.version),
        TenantEvent::PlanChange(event) => format!("plan:{}", event.data.revision),
        TenantEvent::Subdomains(event) => format!(
            "{}:{}",
            json!(event.data.phase).as_str().unwrap(),
            event.data.revision
        ),
        TenantEvent::Address(event) => format!("address:{}", event.data.revision),
        TenantEvent::Erased(_) => "erased".to_owned(),
        TenantEvent::Onboarding(event) => format!("onboarding:{}", event.data.revision),
        TenantEvent::Provision(event) => format!("provision:{}", event.data.attempt),
        TenantEvent::Deprovision(event) => format!("deprovision:{}", event.data.attempt),
        TenantEvent::Toolkit(event) => event.detail_type.to_owned(),
    };
    changes.events.iter().map(name).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
