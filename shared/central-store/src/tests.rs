mod onboarding;
mod regions;
mod reservations;
mod tenants;

use crate::CentralStore;
use crate::error::UpdateError;
use catalogue::Catalogue;
use contract::{
    Envelope, PlanChangeRequested, Stream, TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use fleet::{
    Counts, Publication, SuspensionChange, decide_acknowledgement, decide_erasure,
    decide_plan_change, decide_published_status, decide_resend, decide_suspension,
};
use kernel::{EventId, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};
use outbox::{Outbox, Row};

struct Fixture {
    store: CentralStore,
    outbox: Outbox,
    catalogue: Catalogue,
}

async fn fixture() -> Fixture {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    Fixture {
        store: CentralStore::new(&aws.config, table),
        outbox,
        catalogue: Catalogue::bundled().unwrap(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn region(code: &str) -> RegionCode {
    code.parse().unwrap()
}

fn tenant(number: u16) -> TenantId {
    format!("0199a1f0-0000-7000-8000-00000000{number:04x}")
        .parse()
        .unwrap()
}

fn event(number: u16) -> EventId {
    format!("0199a1f0-0000-7000-8000-ffff0000{number:04x}")
        .parse()
        .unwrap()
}

fn published(
    place: &str,
    number: u16,
    revision: u64,
    status: TenantStatus,
) -> Envelope<TenantStatusChanged> {
    Envelope {
        id: event(number),
        region: region(place),
        stream: Stream::Tenant(tenant(number)),
        sequence: revision,
        occurred_at: at(0),
        data: TenantStatusChanged {
            tenant: tenant(number),
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: "pro".parse().unwrap(),
            status,
            reason: StatusReason::Operator,
            revision,
        },
    }
}

impl Fixture {
    async fn publish_status(
        &self,
        published: &Envelope<TenantStatusChanged>,
    ) -> Result<bool, UpdateError> {
        let publication = Publication {
            event: published.id,
            now: at(0),
        };
        let decide = |current: Option<&fleet::Tenant>| {
            decide_published_status(current, published, &self.catalogue, publication)
        };
        self.store
            .update_tenant(&self.outbox, published.data.tenant, decide)
            .await
    }

    async fn acknowledge(
        &self,
        place: &str,
        number: u16,
        version: u64,
    ) -> Result<bool, UpdateError> {
        let word = Envelope {
            id: event(number),
            region: region(place),
            stream: Stream::Tenant(tenant(number)),
            sequence: version,
            occurred_at: at(0),
            data: TenantPolicyApplied {
                tenant: tenant(number),
                version,
            },
        };
        let decide = |current: Option<&fleet::Tenant>| decide_acknowledgement(current, &word);
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn request(&self, number: u16, revision: u64, plan: &str) -> Result<bool, UpdateError> {
        let requested = Envelope {
            id: event(number),
            region: region("eu-central-1"),
            stream: Stream::Tenant(tenant(number)),
            sequence: revision,
            occurred_at: at(0),
            data: PlanChangeRequested {
                tenant: tenant(number),
                plan: plan.parse().unwrap(),
                revision,
            },
        };
        let publication = Publication {
            event: event(0x100 + number),
            now: at(5),
        };
        let decide = |current: Option<&fleet::Tenant>| {
            decide_plan_change(current, &requested, &self.catalogue, publication)
        };
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn suspend(&self, number: u16, change: SuspensionChange) -> Result<bool, UpdateError> {
        let publication = Publication {
            event: event(0x200 + number),
            now: at(6),
        };
        let decide =
            |current: Option<&fleet::Tenant>| decide_suspension(current, change, publication);
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn erase(&self, number: u16) -> Result<bool, UpdateError> {
        let erased = Envelope {
            id: event(number),
            region: region("eu-central-1"),
            stream: Stream::Tenant(tenant(number)),
            sequence: 9,
            occurred_at: at(7),
            data: TenantErased {
                tenant: tenant(number),
            },
        };
        let decide = |current: Option<&fleet::Tenant>| decide_erasure(current, &erased);
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn resend(&self, number: u16, now: Timestamp) -> bool {
        let decide = |current: Option<&fleet::Tenant>| {
            Ok(current.and_then(|tenant| decide_resend(tenant, now)))
        };
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
            .unwrap()
    }

    async fn counts(&self, place: &str) -> Counts {
        self.store.load_region(region(place)).await.unwrap().counts
    }

    async fn rows(&self) -> Vec<Row> {
        self.outbox.unpublished(Timestamp::MAX, 1000).await.unwrap()
    }

    async fn due(&self, place: &str, now: Timestamp) -> Vec<TenantId> {
        self.store
            .load_due_tasks(&region(place), now, 100)
            .await
            .unwrap()
    }
}
