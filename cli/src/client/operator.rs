//! The operator API: the fleet, invoices, billing runs, usage and incidents of the ledger.

use super::answer::ask;
use super::login::machine_token;
use anyhow::{Context, Result, bail};
use billing::{Incident, Invoice, InvoiceSummary};
use deployment::DeployedRegion;
use deployment::clients::http;
use kernel::{BillingPeriod, Mode, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(200);
const SCOPE: &str = "meridian/operator.read";
const WRITE_SCOPE: &str = "meridian/operator.write";
const ADMINISTRATORS_SCOPE: &str = "tenant/administrators.write";

/// A client of a region's operator API.
#[derive(Debug, Clone)]
pub struct Operator {
    api_url: String,
    token: String,
    write_token: String,
}

/// The fleet, as home sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fleet {
    /// The time of the reading.
    pub as_of: Timestamp,
    /// The regions that home knows.
    pub regions: Vec<FleetRegion>,
}

/// One region, as home sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FleetRegion {
    /// The region.
    pub region: String,
    /// Its mode, once it has reported.
    pub mode: Option<Mode>,
    /// `healthy`, `degraded` or `unknown`.
    pub status: String,
    /// The age of its last heartbeat, in seconds.
    pub last_heartbeat_age_seconds: Option<i64>,
    /// Its tenants by status.
    pub tenants: FleetTenants,
    /// Its usage events; `None` where the region does not report them.
    pub events: Option<FleetEvents>,
    /// Events in the outbox that wait to be published.
    pub outbox: Option<Backlog>,
    /// Usage that waits to be rolled up.
    pub usage: Option<Backlog>,
    /// Policies that the region has not acknowledged.
    pub unapplied_policies: Unapplied,
    /// Its open incidents.
    pub incidents: Vec<Value>,
    /// The billing runs of a region that bills its own tenants.
    pub billing: Vec<Value>,
}

/// A region's tenants by status.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FleetTenants {
    /// Signed up, and not confirmed yet.
    pub pending: i64,
    /// Active tenants.
    pub active: i64,
    /// Tenants in any other state but closed.
    pub other: i64,
}

/// A region's usage events.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FleetEvents {
    /// Events that were counted.
    pub accepted: u64,
    /// Events that repeat one with the same content.
    pub duplicates: u64,
    /// Events that repeat the key of one with other content.
    pub conflicts: u64,
    /// Events that ingestion refused.
    pub rejected: FleetRejected,
    /// Events in requests that the region could not store.
    pub not_stored: u64,
}

/// A region's refused events, by sender and by kind of reason.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FleetRejected {
    /// From tenants' own clients.
    pub tenants: BTreeMap<String, u64>,
    /// From the provider's services.
    pub provider: BTreeMap<String, u64>,
}

impl FleetRejected {
    /// The number of all refused events.
    pub fn total(&self) -> u64 {
        self.tenants.values().chain(self.provider.values()).sum()
    }
}

/// A region's backlog of one kind of work.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Backlog {
    /// The number of items.
    pub waiting: u64,
    /// The age of the oldest item, in milliseconds.
    pub lag_ms: u64,
}

/// Policies that a region has not acknowledged.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Unapplied {
    /// The number of policies that were sent and not acknowledged.
    pub waiting: i64,
    /// Those of them that were sent many times.
    pub stuck: i64,
}

/// The billing run of one period.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BillingRun {
    /// The period.
    pub period: BillingPeriod,
    /// The number of tenants that get an invoice.
    pub expected: u64,
    /// The number of tenants that have one.
    pub done: u64,
    /// Whether every tenant has one.
    pub complete: bool,
}

/// A tenant's usage of a period, as the ledger has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerUsage {
    /// The totals of the period, by meter.
    pub totals: Vec<LedgerTotal>,
    /// The windows that add up to the totals.
    pub windows: Vec<LedgerTotal>,
    /// The start of the next page; `None` on the last one.
    #[serde(default, skip_serializing)]
    pub next_from: Option<Timestamp>,
}

/// The usage of a window, or of the period.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerTotal {
    /// The meter.
    pub meter: String,
    /// The size of the window.
    pub window: String,
    /// The start of the window.
    pub start: Timestamp,
    /// The values of the meter's dimensions.
    pub group: String,
    /// The meter's value.
    pub value: String,
    /// The number of events in it.
    pub events: u64,
    /// The state of the window: whether it may still change.
    pub state: String,
}

/// The usage incidents of a ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UsageIncidents {
    /// The number of all incidents.
    pub total: usize,
    /// The oldest incidents.
    pub incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Page {
    invoices: Vec<InvoiceSummary>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Operator {
    /// Gets tokens for a region's operator API.
    ///
    /// # Errors
    /// When the region has no operator API, or gives no token.
    pub async fn connect(region: &DeployedRegion) -> Result<Self> {
        let api_url = region
            .operator_api_url
            .clone()
            .context("this region has no operator API")?;
        let client = region
            .operator_client
            .as_ref()
            .context("this region has no operator client")?;
        let token = machine_token(&region.token_url, client, SCOPE).await?;
        let write_token = machine_token(&region.token_url, client, WRITE_SCOPE).await?;
        Ok(Self {
            api_url,
            token,
            write_token,
        })
    }

    /// Reads the fleet, from the home region.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn fleet(&self) -> Result<Fleet> {
        self.get("/fleet").await
    }

    /// Reads every invoice of a period with its lines, ordered by number.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn invoices(&self, period: BillingPeriod) -> Result<Vec<Invoice>> {
        let mut invoices: Vec<Invoice> = Vec::new();
        let mut path = format!("/invoices?period={period}");
        loop {
            let page: Page = self.get(&path).await?;
            for summary in page.invoices {
                invoices.push(self.get(&format!("/invoices/{}", summary.id)).await?);
            }
            match page.next_cursor {
                Some(cursor) => path = format!("/invoices?period={period}&cursor={cursor}"),
                None => break,
            }
        }
        invoices.sort_by(|a, b| a.number.cmp(&b.number));
        Ok(invoices)
    }

    /// Reads the billing run of a period; `None` before it was started.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn billing_run(&self, period: BillingPeriod) -> Result<Option<BillingRun>> {
        match self.get(&format!("/billing-runs/{period}")).await {
            Ok(run) => Ok(Some(run)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a tenant's usage from the ledger, all pages of it. `filters` are further query
    /// parameters, such as a meter.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn usage(
        &self,
        tenant: &str,
        period: BillingPeriod,
        filters: &[(&str, String)],
    ) -> Result<LedgerUsage> {
        let mut query = vec![
            ("tenant", tenant.to_owned()),
            ("period", period.to_string()),
        ];
        query.extend_from_slice(filters);
        let mut usage: LedgerUsage = self.get(&path("/usage", &query)?).await?;
        while let Some(from) = usage.next_from.take() {
            query.retain(|(name, _)| *name != "from");
            query.push(("from", from.to_string()));
            let more: LedgerUsage = self.get(&path("/usage", &query)?).await?;
            usage.windows.extend(more.windows);
            usage.next_from = more.next_from;
        }
        Ok(usage)
    }

    /// Reads the usage incidents of the ledger.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn usage_incidents(&self) -> Result<UsageIncidents> {
        self.get("/usage-incidents").await
    }

    /// Waits until the billing of a period is complete.
    ///
    /// # Errors
    /// When that takes longer than `timeout`; the message holds the last state of the run.
    /// When the API refuses or does not answer.
    pub async fn wait_for_run(
        &self,
        period: BillingPeriod,
        timeout: Duration,
    ) -> Result<BillingRun> {
        let deadline = Instant::now() + timeout;
        loop {
            let run = self.billing_run(period).await?;
            if let Some(complete) = run.as_ref().filter(|run| run.complete) {
                return Ok(complete.clone());
            }
            if Instant::now() > deadline {
                bail!(
                    "after {} s the billing run of {period} is at {run:?}",
                    timeout.as_secs()
                );
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Reads home's record of a tenant.
    ///
    /// # Errors
    /// When home does not know it, the API refuses or does not answer.
    pub async fn tenant(&self, id: &str) -> Result<Value> {
        self.get(&format!("/tenants/{id}")).await
    }

    /// Gives a tenant a new administrator, through the API of its own region, so that the person's
    /// address is sent nowhere else.
    ///
    /// # Errors
    /// When the region gives no token, or its API refuses or does not answer.
    pub async fn give_administrator(
        region: &DeployedRegion,
        tenant: &str,
        email: &str,
    ) -> Result<Value> {
        let token = machine_token(
            &region.token_url,
            &region.tenant_operator_client,
            ADMINISTRATORS_SCOPE,
        )
        .await?;
        let request = http().post(format!(
            "{}/tenants/{tenant}/administrators",
            region.api_url
        ));
        ask(request.bearer_auth(token).json(&json!({ "email": email }))).await
    }

    /// Requests the suspension of a tenant, for the `reason` `operator` or `dunning`.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn suspend(&self, id: &str, reason: &str) -> Result<Value> {
        let request = http().put(format!("{}/tenants/{id}/suspension", self.api_url));
        ask(request
            .bearer_auth(&self.write_token)
            .json(&json!({ "reason": reason })))
        .await
    }

    /// Requests the end of a suspension for the `reason` `operator` or `dunning`. A suspension for
    /// the other reason remains.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn reactivate(&self, id: &str, reason: &str) -> Result<Value> {
        let request = http().delete(format!(
            "{}/tenants/{id}/suspension?reason={reason}",
            self.api_url
        ));
        ask(request.bearer_auth(&self.write_token)).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        ask(http()
            .get(format!("{}{path}", self.api_url))
            .bearer_auth(&self.token))
        .await
    }
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<super::Refused>()
        .is_some_and(|refused| refused.status.as_u16() == 404)
}

/// The event with which EventBridge would start a scheduled function at `time`. Functions take the
/// current time from it, so it also moves the clock of billing.
pub fn scheduled_event(time: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": uuid::Uuid::from_u128(time.as_second().unsigned_abs().into()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": Timestamp::from_second(time.as_second()).unwrap_or_default(),
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    })
}

/// Appends a query to a path.
fn path(path: &str, query: &[(&str, String)]) -> Result<String> {
    Ok(format!("{path}?{}", serde_urlencoded::to_string(query)?))
}
