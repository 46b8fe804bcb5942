//! The control API of the local stack: cuts, delays, duplicates and reorders links; makes calls
//! fail.

use anyhow::{Context, Result, bail};
use deployment::clients::http;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How a link treats events. The default delivers each at once, once and in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Events wait in the queue; none is lost.
    pub cut: bool,
    /// The delay of each event, in milliseconds.
    pub delay_ms: u64,
    /// How many extra copies of each event arrive.
    pub duplicate: u32,
    /// Events are collected up to this number and delivered in reverse order; 0 and 1 keep the
    /// order.
    pub reorder: u32,
}

/// A change of links: `None` matches every region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkChange {
    /// The region that emits the events.
    pub from: Option<String>,
    /// The region that receives them.
    pub to: Option<String>,
    /// How the links treat events from now on.
    pub knobs: Knobs,
}

/// A link: a rule of one region whose target is a bus of another region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The region that emits the events.
    pub from: String,
    /// The region that receives them.
    pub to: String,
    /// The EventBridge rule that selects them.
    pub rule: String,
    /// The queue that holds them until delivery.
    pub queue_url: String,
    /// The bus that receives them.
    pub bus: String,
}

/// The state of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The link.
    #[serde(flatten)]
    pub link: Link,
    /// How the link treats events.
    pub knobs: Knobs,
    /// How many events have arrived, not counting copies.
    pub delivered: u64,
    /// How many attempts have failed.
    pub failed: u64,
    /// The error of the last attempt; `None` after a success.
    pub last_error: Option<String>,
}

/// Which calls a fault applies to. A field without a value matches every call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// The called region.
    pub region: Option<String>,
    /// The deployed name of the calling function.
    pub function: Option<String>,
    /// The called service as in the request's signature: `dynamodb`, `events`, `sqs`,
    /// `cognito-idp`.
    pub service: Option<String>,
    /// The operation, such as `TransactWriteItems`.
    pub operation: Option<String>,
}

/// The effect of a fault on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The call does not reach the service: the caller gets status 503.
    Refuse,
    /// The call does not reach the service: the caller gets status 400 with this exception's name.
    RefuseAs(String),
    /// The service handles the call, and the caller gets status 503 instead of the response.
    LoseAnswer,
    /// The call is delayed by this many milliseconds.
    DelayMs(u64),
    /// The calling function's process is killed before the call reaches the service.
    Kill,
    /// The calling function's process is killed after the service has handled the call.
    KillAfter,
}

/// A fault: makes calls fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls it applies to.
    #[serde(default)]
    pub calls: Calls,
    /// How many matching calls pass first.
    #[serde(default)]
    pub after: u64,
    /// How many calls it then applies to; `None` for all.
    #[serde(default)]
    pub times: Option<u64>,
    /// The effect.
    pub action: Action,
}

/// A fault that is set, and its counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStatus {
    /// The id, by which it can be removed.
    pub id: u64,
    /// The fault.
    pub fault: Fault,
    /// How many calls have matched.
    pub seen: u64,
    /// How many of them the fault was applied to.
    pub met: u64,
}

/// Whether a region can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The region.
    pub region: String,
    /// Whether all traffic to the region is cut: its AWS endpoint, its APIs and its links.
    pub cut: bool,
}

/// A client of the control API.
#[derive(Debug, Clone)]
pub struct Control {
    url: String,
}

impl Control {
    /// The control API at an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// Lists the links.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn links(&self) -> Result<Vec<LinkStatus>> {
        self.call(Method::GET, "/links", &()).await
    }

    /// Changes links; returns the changed ones.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn set_links(&self, change: &LinkChange) -> Result<Vec<LinkStatus>> {
        self.call(Method::PUT, "/links", change).await
    }

    /// Lists the faults that are set.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn faults(&self) -> Result<Vec<FaultStatus>> {
        self.call(Method::GET, "/faults", &()).await
    }

    /// Sets a fault; returns its id.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn add_fault(&self, fault: &Fault) -> Result<u64> {
        let set: FaultStatus = self.call(Method::POST, "/faults", fault).await?;
        Ok(set.id)
    }

    /// Removes one fault by its number.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn remove_fault(&self, id: u64) -> Result<()> {
        self.call(Method::DELETE, &format!("/faults/{id}"), &())
            .await
    }

    /// Removes every fault.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn clear_faults(&self) -> Result<()> {
        self.call(Method::DELETE, "/faults", &()).await
    }

    /// Cuts all traffic to a region, or restores it.
    ///
    /// # Errors
    /// When the control API does not answer, or has no such region.
    pub async fn cut_region(&self, region: &str, cut: bool) -> Result<()> {
        let reach = Reach {
            region: region.to_owned(),
            cut,
        };
        self.call(Method::PUT, "/regions", &reach).await
    }

    /// Lists which regions can be reached.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn regions(&self) -> Result<Vec<Reach>> {
        self.call(Method::GET, "/regions", &()).await
    }

    /// Removes every fault and cut, and resets every link to the default.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn heal(&self) -> Result<()> {
        self.clear_faults().await?;
        for reach in self.regions().await? {
            self.cut_region(&reach.region, false).await?;
        }
        self.set_links(&LinkChange::default()).await?;
        Ok(())
    }

    /// Makes the serve process read its plan again.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn reload(&self) -> Result<()> {
        self.call(Method::POST, "/reload", &()).await
    }

    /// Whether the control API answers.
    pub async fn is_healthy(&self) -> bool {
        let request = http().get(format!("{}/health", self.url));
        let answer = request
            .timeout(std::time::Duration::from_secs(2))
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    async fn call<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T> {
        let name = format!("{method} {path}");
        let mut request = http().request(method.clone(), format!("{}{path}", self.url));
        if method != Method::GET && method != Method::DELETE {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{name}: does the local stack run?"))?;
        let status = answer.status();
        if !status.is_success() {
            bail!(
                "{name}: {status}: {}",
                answer.text().await.unwrap_or_default()
            );
        }
        answer
            .json()
            .await
            .with_context(|| format!("{name}: unexpected answer"))
    }
}
