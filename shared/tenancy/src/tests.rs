mod addresses;
mod clients;
mod closing;
mod codes;
mod federation;
mod laws;
mod levels;
mod life;
mod mails;
mod members;
mod names;
mod policies;
mod provisioning;
mod registration;
mod vanity;

use crate::*;
use catalogue::Catalogue;
use kernel::{Alias, EventId, SignupId, TenantId, TenantStatus, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

fn occasion_at(now: &str) -> Occasion {
    Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(Uuid::from_u128(3)),
        now: now.parse().unwrap(),
    }
}

fn occasion() -> Occasion {
    occasion_at("2026-11-20T10:00:00Z")
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
        &occasion(),
    )
}

/// A tenant that signed up, in a status.
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

/// What the store holds after an outcome.
fn after(before: &State, outcome: Outcome) -> State {
    assert_eq!(
        outcome.before, before.tenant,
        "an outcome is of the tenant that it was made on"
    );
    assert_eq!(
        outcome.tenant.generation,
        before.tenant.generation.next(),
        "every outcome is guarded"
    );
    State {
        tenant: outcome.tenant,
        signup: outcome.signup.or_else(|| before.signup.clone()),
    }
}

/// The types of what an outcome states, in order.
fn stated(outcome: &Outcome) -> Vec<String> {
    let name = |statement: &Statement| match statement {
        Statement::Status(fact) => format!("status:{}", json!(fact.data.reason).as_str().unwrap()),
        Statement::PolicyApplied(fact) => format!("applied:{}", fact.data.version),
        Statement::PlanChange(fact) => format!("plan:{}", fact.data.revision),
        Statement::Vanity(fact) => format!(
            "{}:{}",
            json!(fact.data.phase).as_str().unwrap(),
            fact.data.revision
        ),
        Statement::Address(fact) => format!("address:{}", fact.data.revision),
        Statement::Erased(_) => "erased".to_owned(),
        Statement::Onboarding(fact) => format!("onboarding:{}", fact.data.revision),
        Statement::Provision(fact) => format!("provision:{}", fact.data.attempt),
        Statement::Deprovision(fact) => format!("deprovision:{}", fact.data.attempt),
        Statement::Toolkit(event) => event.detail_type.to_owned(),
    };
    outcome.statements.iter().map(name).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
