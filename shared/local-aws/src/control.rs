//! The control API of the local stack: cut, slow, duplicate and reorder links; make calls fail.

use anyhow::{Context, Result, bail};
use deployment::clients::http;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What happens to the events of a link. The default passes them on at once, once and in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Events wait, none is lost.
    pub cut: bool,
    /// Each event arrives so much later, in milliseconds.
    pub delay_ms: u64,
    /// How many more times each event arrives.
    pub duplicate: u32,
    /// Events are collected up to this many and arrive in the opposite order; 0 and 1 keep the
    /// order.
    pub reorder: u32,
}

/// A change of links: `None` stands for every region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkChange {
    /// The region where the events come from.
    pub from: Option<String>,
    /// The region where they go.
    pub to: Option<String>,
    /// What happens to them from now on.
    pub knobs: Knobs,
}

/// A link: a rule of one region whose target is a bus of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The region where the events come from.
    pub from: String,
    /// The region where they go.
    pub to: String,
    /// The rule that picks them.
    pub rule: String,
    /// The queue in which they wait.
    pub queue_url: String,
    /// The bus that they go to.
    pub bus: String,
}

/// How a link fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The link.
    #[serde(flatten)]
    pub link: Link,
    /// What happens to its events.
    pub knobs: Knobs,
    /// How many events have arrived, copies not counted.
    pub delivered: u64,
    /// How many attempts have failed.
    pub failed: u64,
    /// Why the last attempt failed, until one succeeds.
    pub last_error: Option<String>,
}

/// Which calls a fault meets. What is not given matches every call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// The region that is called.
    pub region: Option<String>,
    /// The deployed name of the function that calls.
    pub function: Option<String>,
    /// The service that is called, as in its signature: `dynamodb`, `events`, `sqs`, `cognito-idp`.
    pub service: Option<String>,
    /// The operation, such as `TransactWriteItems`.
    pub operation: Option<String>,
}

/// What happens to a call that meets a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It does not reach the service: the caller gets status 503.
    Refuse,
    /// It does not reach the service: the caller gets status 400 with this exception's name.
    RefuseAs(String),
    /// The service does it, and the caller gets status 503 instead of the answer.
    LoseAnswer,
    /// It is done so much later, in milliseconds.
    DelayMs(u64),
    /// The calling function's process is killed before the call reaches the service.
    Kill,
    /// The calling function's process is killed after the service did it.
    KillAfter,
}

/// A fault: calls that are made to fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls.
    #[serde(default)]
    pub calls: Calls,
    /// How many of them pass first.
    #[serde(default)]
    pub after: u64,
    /// How many are met then; `None` for all.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens to them.
    pub action: Action,
}

/// A fault that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStatus {
    /// Its number, by which it can be removed.
    pub id: u64,
    /// The fault.
    pub fault: Fault,
    /// How many calls matched.
    pub seen: u64,
    /// How many of them were met.
    pub met: u64,
}

/// Whether a region can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The region.
    pub region: String,
    /// Whether everything to it is cut: its AWS endpoint, its APIs and the links to it.
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

    /// Every link.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn links(&self) -> Result<Vec<LinkStatus>> {
        self.ask(Method::GET, "/links", &()).await
    }

    /// Changes links; returns those that were changed.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn set_links(&self, change: &LinkChange) -> Result<Vec<LinkStatus>> {
        self.ask(Method::PUT, "/links", change).await
    }

    /// Every fault that is set.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn faults(&self) -> Result<Vec<FaultStatus>> {
        self.ask(Method::GET, "/faults", &()).await
    }

    /// Sets a fault; returns its number.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn add_fault(&self, fault: &Fault) -> Result<u64> {
        let set: FaultStatus = self.ask(Method::POST, "/faults", fault).await?;
        Ok(set.id)
    }

    /// Removes one fault by its number.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn remove_fault(&self, id: u64) -> Result<()> {
        self.ask(Method::DELETE, &format!("/faults/{id}"), &())
            .await
    }

    /// Removes every fault.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn clear_faults(&self) -> Result<()> {
        self.ask(Method::DELETE, "/faults", &()).await
    }

    /// Cuts everything to a region, or lets it through again.
    ///
    /// # Errors
    /// When the control API does not answer, or knows no such region.
    pub async fn cut_region(&self, region: &str, cut: bool) -> Result<()> {
        let reach = Reach {
            region: region.to_owned(),
            cut,
        };
        self.ask(Method::PUT, "/regions", &reach).await
    }

    /// Which regions can be reached.
    ///
    /// # Errors
    /// When the control API does not answer.
    pub async fn regions(&self) -> Result<Vec<Reach>> {
        self.ask(Method::GET, "/regions", &()).await
    }

    /// Makes everything whole: no fault, no cut, every link as it was.
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
        self.ask(Method::POST, "/reload", &()).await
    }

    /// Whether the control API answers.
    pub async fn is_healthy(&self) -> bool {
        let asked = http().get(format!("{}/health", self.url));
        let answer = asked
            .timeout(std::time::Duration::from_secs(2))
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    async fn ask<B: Serialize + Sync, T: DeserializeOwned>(
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
