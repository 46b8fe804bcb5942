mod clock;
mod erasure;
mod mails;
mod members;
mod policies;
mod registration;
mod resolve;
mod subdomain;
mod terms;

use crate::resolve::{Destination, RegionAddress};
use crate::write::{LoadOptions, Registered, TenantStore};
use crate::{Leaving, TenantStoreError};
use aws_sdk_dynamodb::types::AttributeValue;
use catalogue::Catalogue;
use contract::{TenantCounts, TenantPolicy};
use futures::future::join_all;
use kernel::{Alias, Role, TenantId, TenantStatus, Timestamp};
use outbox::{Outbox, Row};
use serde_json::{Value, json};
use tenancy::{
    Actor, AuditAction, AuditEntry, Context, Documents, EmailAddress, Fingerprint, IdempotencyKey,
    Identifiers, InvitationCode, Invite, KeyDigest, Refusal, Requirements, ScheduledTask, Settings,
    SignUp, SignUpRequest, Tenant, Username,
};
use usage_store::TermsReader;

/// The items of a sign-up: key, alias, sign-up, tenant, user, membership, audit entry, expiry task.
const ITEMS: usize = 8;

struct World {
    store: TenantStore,
    client: aws_sdk_dynamodb::Client,
    table: String,
    outbox: Outbox,
    terms: TermsReader,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    World {
        store: TenantStore::new(&aws.config, table.clone(), outbox.clone()),
        client: aws_sdk_dynamodb::Client::new(&aws.config),
        terms: TermsReader::new(&aws.config, table.clone()),
        table,
        outbox,
    }
}

fn context(n: u32) -> Context {
    Context {
        region: "eu-central-1".parse().unwrap(),
        event: format!("01935f70-0000-7000-8000-{n:012}").parse().unwrap(),
        now: "2026-11-20T10:00:00Z".parse().unwrap(),
    }
}

fn tenant_id(n: u32) -> TenantId {
    // The last byte chooses the counter item.
    format!("01935f6e-7b10-7c3a-8f21-{n:012x}").parse().unwrap()
}

fn settings() -> Settings {
    let text = "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 grace_days=30 retention_days=30 hosted_zone=";
    text.parse().unwrap()
}

fn documents() -> Documents {
    Documents {
        terms: "1".parse().unwrap(),
        data_processing: "1".parse().unwrap(),
    }
}

/// The start of these tenants' days.
const ANCHOR: &str = "23:00";

/// The n-th sign-up: what it creates, its key's digest and its fingerprint.
fn sign_up(n: u32) -> (SignUp, KeyDigest, Fingerprint) {
    let catalogue = Catalogue::bundled().unwrap();
    let request: SignUpRequest = serde_json::from_value(json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": format!("ada{n}@engines.example"),
        "password": "Difference-Engine-2",
        "plan": "starter",
        "billing_anchor": ANCHOR,
        "terms": "1",
        "data_processing": "1",
    }))
    .unwrap();
    let requirements = Requirements {
        documents: documents(),
        disposable: "".parse().unwrap(),
    };
    let registration = request.validate(&catalogue, &requirements).unwrap();
    let key: IdempotencyKey = format!("idempotency-key-{n}").parse().unwrap();
    let mut random = [0; 16];
    random[12..].copy_from_slice(&n.to_be_bytes());
    let ids = Identifiers {
        signup: format!("7d4f2f0e-6d53-4a7e-9a55-{n:012x}").parse().unwrap(),
        tenant: tenant_id(n),
        alias: Alias::from_random(random),
        onboarding: None,
    };
    let fingerprint = key.fingerprint(&registration, None);
    let made = tenancy::decide_sign_up(
        &registration,
        &catalogue,
        &documents(),
        ids,
        &settings(),
        &context(n),
    );
    (made, key.digest(), fingerprint)
}

impl World {
    async fn register(&self, n: u32) -> SignUp {
        let (made, key, fingerprint) = sign_up(n);
        assert_eq!(
            self.store
                .register(&made, &key, &fingerprint)
                .await
                .unwrap(),
            Registered::Stored
        );
        made
    }

    /// Confirms as the trigger and the API do.
    async fn confirm(&self, tenant: TenantId, n: u32) -> Result<Tenant, TenantStoreError> {
        let (catalogue, settings, context) =
            (Catalogue::bundled().unwrap(), settings(), context(n));
        let confirmed = self.store.change(tenant, LoadOptions::SIGNUP, |loaded| {
            tenancy::decide_confirmation(&loaded.state, &catalogue, &settings, &context)
        });
        confirmed.await.map(|state| state.tenant)
    }

    async fn apply(
        &self,
        tenant: TenantId,
        policy: &TenantPolicy,
        n: u32,
    ) -> Result<Tenant, TenantStoreError> {
        let (settings, context) = (settings(), context(n));
        let applied = self.store.change(tenant, LoadOptions::TENANT, |loaded| {
            tenancy::decide_policy(&loaded.state, policy, &settings, &context).map(Some)
        });
        applied.await.map(|state| state.tenant)
    }

    async fn active(&self, n: u32) -> SignUp {
        let made = self.register(n).await;
        self.confirm(made.tenant.id, 1_000 + n).await.unwrap();
        made
    }

    async fn invite(&self, made: &SignUp, email: &str, secret: u8, n: u32) -> InvitationCode {
        let email: EmailAddress = email.parse().unwrap();
        let id = Username::of(&made.tenant.alias, &email).invitation();
        let code = InvitationCode::from_random(id, [secret; 16]);
        let reach = LoadOptions {
            invitation: Some(id),
            ..LoadOptions::TENANT
        };
        let context = context(n);
        let invited = self.store.change(made.tenant.id, reach, |loaded| {
            let invite = Invite {
                email: &email,
                role: Role::Admin,
                code: &code,
                by: Actor::User(made.user.username),
                owed: None,
            };
            let open = loaded.invitation.as_ref();
            tenancy::decide_invitation(&loaded.state, &invite, open, false, &context).map(Some)
        });
        invited.await.unwrap();
        code
    }

    async fn accept(
        &self,
        made: &SignUp,
        code: &InvitationCode,
        n: u32,
    ) -> Result<Tenant, TenantStoreError> {
        let reach = LoadOptions {
            invitation: Some(code.invitation()),
            user: Some(made.user.username),
            ..LoadOptions::TENANT
        };
        let context = context(n);
        let accepted = self.store.change(made.tenant.id, reach, |loaded| {
            let open = loaded.invitation.as_ref().ok_or(Refusal::NoInvitation)?;
            let (name, consents) = (
                "Charles Babbage".parse().unwrap(),
                documents().agreed_at(context.now),
            );
            let inviter = loaded.user.as_ref();
            tenancy::decide_acceptance(&loaded.state, open, inviter, code, name, consents, &context)
                .map(Some)
        });
        accepted.await.map(|state| state.tenant)
    }

    async fn due(&self) -> Vec<ScheduledTask> {
        self.store
            .reader()
            .load_due_tasks("2100-01-01T00:00:00Z".parse().unwrap(), 100)
            .await
            .unwrap()
    }

    async fn items(&self) -> usize {
        let items = self
            .client
            .scan()
            .table_name(&self.table)
            .send()
            .await
            .unwrap();
        items
            .items()
            .iter()
            .filter(|item| !item["pk"].as_s().unwrap().starts_with("STATS#"))
            .count()
    }

    /// The events published so far, in order of their sequence.
    async fn events(&self) -> Vec<(String, Value)> {
        let rows = self
            .outbox
            .unpublished("2100-01-01T00:00:00Z".parse().unwrap(), 1000)
            .await
            .unwrap();
        let mut events: Vec<_> = rows
            .into_iter()
            .map(
                |Row {
                     detail_type,
                     detail,
                     ..
                 }| (detail_type, serde_json::from_str::<Value>(&detail).unwrap()),
            )
            .collect();
        events.sort_by_key(|(_, detail)| detail["sequence"].as_u64());
        events
    }
}

fn policy(version: u64) -> TenantPolicy {
    TenantPolicy {
        version,
        plan: "pro".parse().unwrap(),
        suspension: version
            .is_multiple_of(2)
            .then_some(kernel::Suspension::Operator),
        entitlements: vec!["sso".parse().unwrap()],
    }
}
