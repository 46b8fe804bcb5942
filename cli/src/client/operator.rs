//! What operators ask: the fleet, invoices, billing runs, what is wrong with the ledger.

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

const LOOK_EVERY: Duration = Duration::from_millis(200);
const SCOPE: &str = "meridian/operator.read";
const WRITE_SCOPE: &str = "meridian/operator.write";
const ADMINISTRATORS_SCOPE: &str = "tenant/administrators.write";

/// The operator's API of a region.
#[derive(Debug, Clone)]
pub struct Operator {
    api_url: String,
    token: String,
    writing_token: String,
}

/// The fleet, as home sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fleet {
    /// When it was looked at.
    pub as_of: Timestamp,
    /// The regions that home has heard of.
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
    /// How long ago it reported.
    pub last_heartbeat_age_seconds: Option<i64>,
    /// Its tenants by status.
    pub tenants: FleetTenants,
    /// Its usage events; absent where the region does not tell.
    pub events: Option<FleetEvents>,
    /// Events to publish.
    pub outbox: Option<Backlog>,
    /// Usage to settle.
    pub usage: Option<Backlog>,
    /// Policies that the region has not acknowledged.
    pub unapplied_policies: Unapplied,
    /// What is wrong.
    pub incidents: Vec<Value>,
    /// What the region billed by itself.
    pub billing: Vec<Value>,
}

/// A region's tenants by status.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FleetTenants {
    /// Signed up, not confirmed.
    pub pending: i64,
    /// In use.
    pub active: i64,
    /// Neither, and not closed.
    pub other: i64,
}

/// A region's usage events.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FleetEvents {
    /// Counted.
    pub accepted: u64,
    /// Seen before.
    pub duplicates: u64,
    /// Seen before with other content.
    pub conflicts: u64,
    /// Refused at the edge.
    pub rejected: FleetRejected,
    /// In requests that the region could not take.
    pub not_stored: u64,
}

/// A region's refused events, by who sent them and by kind of reason.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FleetRejected {
    /// Of tenants' own clients.
    pub tenants: BTreeMap<String, u64>,
    /// Of the provider's services.
    pub provider: BTreeMap<String, u64>,
}

impl FleetRejected {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.tenants.values().chain(self.provider.values()).sum()
    }
}

/// What waits in a region.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Backlog {
    /// How many.
    pub waiting: u64,
    /// For how long, the oldest.
    pub lag_ms: u64,
}

/// Policies on their way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Unapplied {
    /// Sent and not acknowledged.
    pub waiting: i64,
    /// Of these, sent many times.
    pub stuck: i64,
}

/// The billing of one period.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BillingRun {
    /// The period.
    pub period: BillingPeriod,
    /// How many tenants have or will have an invoice.
    pub expected: u64,
    /// How many have.
    pub done: u64,
    /// Whether all have.
    pub complete: bool,
}

/// A tenant's usage of a period, as it is billed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerUsage {
    /// What the period comes to, by meter.
    pub totals: Vec<LedgerTotal>,
    /// The windows that it is made of.
    pub windows: Vec<LedgerTotal>,
    /// Where what follows begins.
    #[serde(default, skip_serializing)]
    pub next_from: Option<Timestamp>,
}

/// The usage of a window, or of the period.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerTotal {
    /// The meter.
    pub meter: String,
    /// How long the window is.
    pub window: String,
    /// Its first moment.
    pub start: Timestamp,
    /// The values of the dimensions that divide it.
    pub group: String,
    /// The meter's value.
    pub value: String,
    /// How many events it is made of.
    pub events: u64,
    /// Whether it may change.
    pub state: String,
}

/// What is wrong with the usage in a ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UsageIncidents {
    /// How many incidents there are.
    pub total: usize,
    /// The oldest of them.
    pub incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Page {
    invoices: Vec<InvoiceSummary>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl Operator {
    /// Gets a token for a region's operator API.
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
        let writing_token = machine_token(&region.token_url, client, WRITE_SCOPE).await?;
        Ok(Self {
            api_url,
            token,
            writing_token,
        })
    }

    /// The fleet, from the home region.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn fleet(&self) -> Result<Fleet> {
        self.get("/fleet").await
    }

    /// Every invoice of a period, with its lines, in order of number.
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

    /// How far the billing of a period is; `None` before it was started.
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

    /// What the ledger has of a tenant's usage. `narrowed` names what else is asked, such as a
    /// meter.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn usage(
        &self,
        tenant: &str,
        period: BillingPeriod,
        narrowed: &[(&str, String)],
    ) -> Result<LedgerUsage> {
        let mut query = vec![
            ("tenant", tenant.to_owned()),
            ("period", period.to_string()),
        ];
        query.extend_from_slice(narrowed);
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

    /// What is wrong with the usage in the ledger.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn usage_incidents(&self) -> Result<UsageIncidents> {
        self.get("/usage-incidents").await
    }

    /// Waits until the billing of a period is complete.
    ///
    /// # Errors
    /// When that takes longer than `timeout`: the message says how far it is. When the API refuses
    /// or does not answer.
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
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A tenant as home knows it.
    ///
    /// # Errors
    /// When home does not know it, the API refuses or does not answer.
    pub async fn tenant(&self, id: &str) -> Result<Value> {
        self.get(&format!("/tenants/{id}")).await
    }

    /// Gives a tenant a new administrator, by the API of its region: the person's address is sent
    /// nowhere else.
    ///
    /// # Errors
    /// When the region gives no token, its API refuses or does not answer.
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

    /// Wants a tenant suspended, for a `reason` of `operator` or `dunning`.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn suspend(&self, id: &str, reason: &str) -> Result<Value> {
        let request = http().put(format!("{}/tenants/{id}/suspension", self.api_url));
        ask(request
            .bearer_auth(&self.writing_token)
            .json(&json!({ "reason": reason })))
        .await
    }

    /// Wants a tenant suspended no longer for a `reason` of `operator` or `dunning`. It stays
    /// suspended for the other one.
    ///
    /// # Errors
    /// When the API refuses or does not answer.
    pub async fn reactivate(&self, id: &str, reason: &str) -> Result<Value> {
        let request = http().delete(format!(
            "{}/tenants/{id}/suspension?reason={reason}",
            self.api_url
        ));
        ask(request.bearer_auth(&self.writing_token)).await
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

/// The event with which EventBridge would start a scheduled function at a moment: the billing
/// clock.
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

/// A path with its query.
fn path(path: &str, query: &[(&str, String)]) -> Result<String> {
    Ok(format!("{path}?{}", serde_urlencoded::to_string(query)?))
}
