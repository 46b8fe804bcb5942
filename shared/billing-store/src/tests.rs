mod completeness;
mod issuing;
mod recording;
mod slots;

use crate::*;
use billing::{
    Billability, Billing, DisclosureThreshold, InvoiceRequest, PeriodUsage, Run, decide_issue,
    plan_invoice,
};
use catalogue::Catalogue;
use contract::{TenantStatusChanged, UsageWindow, UsageWindowUpdated, WindowPart};
use dynamo::{Attempts, CROWD};
use kernel::{
    BillingPeriod, LegalEntity, Mode, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp,
    UsageGroup, WindowSize,
};

const HOME: DisclosureThreshold = DisclosureThreshold {
    mode: Mode::Shared,
    tenants_min: 5,
};

async fn store() -> BillingStore {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    BillingStore::new(&aws.config, table)
}

fn tenant(n: u8) -> TenantId {
    format!("01890a5d-ac96-774b-bcce-b302099a80{n:02x}")
        .parse()
        .unwrap()
}

fn region() -> RegionCode {
    "eu-central-1".parse().unwrap()
}

fn period() -> BillingPeriod {
    "2026-10".parse().unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn entity() -> LegalEntity {
    "meridian".parse().unwrap()
}

fn status(n: u8, revision: u64, status: TenantStatus) -> TenantStatusChanged {
    TenantStatusChanged {
        tenant: tenant(n),
        alias: "23456789abcd".parse().unwrap(),
        plan: "pro".parse().unwrap(),
        status,
        reason: StatusReason::Operator,
        revision,
    }
}

fn window(meter: &str, day: u8, value: &str, revision: u64) -> UsageWindow {
    UsageWindow {
        meter: meter.parse().unwrap(),
        group: UsageGroup::default(),
        size: WindowSize::Day,
        start: moment(&format!("2026-10-{day:02}T00:00:00Z")),
        part: WindowPart::Window,
        value: value.parse().unwrap(),
        events: i64::try_from(revision).unwrap(),
        latest_at: None,
        revision,
    }
}

/// Issues a tenant's invoice as the function does. Returns its number, or nothing if the tenant had
/// one already.
async fn issue(store: &BillingStore, n: u8, period: BillingPeriod) -> Option<u64> {
    let request = InvoiceRequest {
        tenant: tenant(n),
        period,
    };
    let catalogue = Catalogue::bundled().unwrap();
    let plan = "starter".parse().unwrap();
    let usage = PeriodUsage::new();
    let billing = Billing {
        catalogue: &catalogue,
        tenant: request.tenant,
        period,
        billability: Billability::InUse(&plan),
        usage: &usage,
        earlier: &[],
        missing_reports: 0,
    };
    let draft = plan_invoice(billing).unwrap();
    let mut attempts = Attempts::of(CROWD);
    loop {
        let context = store.load_issue_context(request, &entity()).await.unwrap();
        if context.is_issued {
            return None;
        }
        let run = context.run.clone().unwrap().run;
        let issue = decide_issue(draft.clone(), run, context.next_number(), HOME);
        if store.record_issue(&context, &issue, None).await.unwrap() == Recorded::Done {
            return Some(issue.invoice.number.number);
        }
        assert!(attempts.wait().await, "others were faster at every attempt");
    }
}

async fn start_run(store: &BillingStore, period: BillingPeriod, expected: u64) {
    let run = Run::new(period, moment("2026-11-01T02:00:00Z"), expected);
    assert!(store.record_run(None, &run).await.unwrap());
}
