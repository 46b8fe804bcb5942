//! Links between regions: rules whose target is a bus of another region.
//!
//! The emulator knows only one region and drops the events of such a rule. So the rule gets a queue
//! of its own region as a second target, and a forwarder delivers the queue's events to the bus of
//! the other region. An event leaves the queue only after that bus has accepted it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, Target};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use aws_smithy_types::date_time::Format;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, watch};

use super::control::{Knobs, Link, LinkStatus};

/// The id of the target that a link adds to its rule.
const TARGET: &str = "local-link";
/// The largest batch of `ReceiveMessage` and `PutEvents`, in events.
const BATCH: usize = 10;
/// How many batches of a link are in flight at once.
const IN_FLIGHT: usize = 16;
/// How long a batch stays invisible in its queue beyond its delay, in seconds.
const VISIBILITY_SECONDS: u64 = 30;

/// The region and name of a target that is a bus of another region:
/// `arn:aws:events:<region>:<account>:event-bus/<name>`.
pub fn remote_bus<'a>(arn: &'a str, own_region: &str) -> Option<(&'a str, &'a str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "events", region, _, resource] = parts[..] else {
        return None;
    };
    let bus = resource.strip_prefix("event-bus/")?;
    (region != own_region).then_some((region, bus))
}

/// Adds a queue to every rule of a region whose target is another region's bus, and lists the
/// links.
///
/// # Errors
/// When the emulator refuses a call.
pub async fn prepare(region: &str, config: &SdkConfig) -> Result<Vec<Link>> {
    let events = aws_sdk_eventbridge::Client::new(config);
    let queues = aws_sdk_sqs::Client::new(config);
    let mut links = Vec::new();
    let buses = events
        .list_event_buses()
        .send()
        .await
        .context("ListEventBuses")?;
    for bus in buses.event_buses().iter().filter_map(|bus| bus.name()) {
        let rules = events
            .list_rules()
            .event_bus_name(bus)
            .send()
            .await
            .context("ListRules")?;
        for rule in rules.rules().iter().filter_map(|rule| rule.name()) {
            let targets = events.list_targets_by_rule().event_bus_name(bus).rule(rule);
            let targets = targets.send().await.context("ListTargetsByRule")?;
            for target in targets.targets() {
                let Some((to, to_bus)) = remote_bus(target.arn(), region) else {
                    continue;
                };
                let name: String = format!("link-{to}-{rule}").chars().take(80).collect();
                let made = queues
                    .create_queue()
                    .queue_name(&name)
                    .send()
                    .await
                    .context("CreateQueue")?;
                let queue_url = made
                    .queue_url()
                    .context("CreateQueue gave no URL")?
                    .to_owned();
                let arn = target
                    .arn()
                    .replacen(":events:", ":sqs:", 1)
                    .replacen(to, region, 1);
                let arn = arn.replacen(&format!("event-bus/{to_bus}"), &name, 1);
                let queue = Target::builder()
                    .id(format!("{TARGET}-{to}"))
                    .arn(arn)
                    .set_input(target.input().map(str::to_owned))
                    .set_input_path(target.input_path().map(str::to_owned))
                    .set_input_transformer(target.input_transformer().cloned())
                    .build()?;
                let put = events
                    .put_targets()
                    .event_bus_name(bus)
                    .rule(rule)
                    .targets(queue);
                put.send()
                    .await
                    .with_context(|| format!("PutTargets {rule}"))?;
                links.push(Link {
                    from: region.to_owned(),
                    to: to.to_owned(),
                    rule: rule.to_owned(),
                    queue_url,
                    bus: to_bus.to_owned(),
                });
            }
        }
    }
    Ok(links)
}

/// An event in the form in which EventBridge queues it. The detail is passed on unparsed.
#[derive(Debug, Deserialize)]
struct QueuedEvent {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: String,
    #[serde(default)]
    resources: Vec<String>,
    detail: Box<RawValue>,
}

fn entry(body: &str, bus: &str) -> Result<PutEventsRequestEntry> {
    let event: QueuedEvent = serde_json::from_str(body).context("not an event")?;
    let time = aws_smithy_types::DateTime::from_str(&event.time, Format::DateTime)
        .context("not a time")?;
    Ok(PutEventsRequestEntry::builder()
        .source(event.source)
        .detail_type(event.detail_type)
        .detail(event.detail.get())
        .set_resources(Some(event.resources))
        .time(time)
        .event_bus_name(bus)
        .build())
}

/// A running link.
#[derive(Debug)]
pub struct Forwarder {
    link: Link,
    knobs: watch::Sender<Knobs>,
    ending: AtomicBool,
    delivered: AtomicU64,
    failed: AtomicU64,
    last_error: Mutex<Option<String>>,
    in_flight: Semaphore,
    queues: aws_sdk_sqs::Client,
    events: aws_sdk_eventbridge::Client,
}

impl Forwarder {
    /// A link between two emulators.
    pub fn new(link: Link, from: &SdkConfig, to: &SdkConfig) -> Arc<Self> {
        Arc::new(Self {
            link,
            knobs: watch::Sender::new(Knobs::default()),
            ending: AtomicBool::new(false),
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last_error: Mutex::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
            queues: aws_sdk_sqs::Client::new(from),
            events: aws_sdk_eventbridge::Client::new(to),
        })
    }

    /// The link.
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Changes how the link treats events.
    pub fn set(&self, knobs: Knobs) {
        self.knobs.send_replace(knobs);
    }

    /// The state of the link.
    pub fn status(&self) -> LinkStatus {
        LinkStatus {
            link: self.link.clone(),
            knobs: self.knobs(),
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            last_error: self.last_error.lock().ok().and_then(|error| error.clone()),
        }
    }

    /// Ends the link once the events that it has received are delivered. Events left undelivered
    /// would stay invisible in their queue for a while.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Delivers events until [`Self::end`] is called; `cut` returns whether either region is cut
    /// off.
    pub async fn run(self: Arc<Self>, cut: impl Fn() -> bool + Send + Sync + 'static) {
        let cut = Arc::new(cut);
        while !self.ending.load(Ordering::Relaxed) {
            if self.knobs().cut || cut() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            let messages = match self.collect().await {
                Ok(messages) => messages,
                Err(error) => {
                    self.record_error(&error);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    continue;
                }
            };
            // Receiving takes a while, so the settings are read after the events have arrived.
            let knobs = self.knobs();
            if messages.is_empty() {
                continue;
            }
            if knobs.delay_ms == 0 {
                self.deliver_or_record(messages, knobs, &*cut).await;
                continue;
            }
            let link = Arc::clone(&self);
            let cut = Arc::clone(&cut);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(knobs.delay_ms)).await;
                let Ok(_permit) = link.in_flight.acquire().await else {
                    return;
                };
                link.deliver_or_record(messages, knobs, &*cut).await;
            });
        }
    }

    fn knobs(&self) -> Knobs {
        *self.knobs.borrow()
    }

    /// Receives the next events: one batch, or as many as are to be reordered.
    async fn collect(&self) -> Result<Vec<Message>> {
        let mut messages = self.receive(1).await?;
        let window = usize::try_from(self.knobs().reorder)
            .unwrap_or(usize::MAX)
            .max(1);
        while window > 1 && !messages.is_empty() && messages.len() < window {
            let more = self.receive(1).await?;
            if more.is_empty() {
                break;
            }
            messages.extend(more);
        }
        if window > 1 {
            messages.reverse();
        }
        Ok(messages)
    }

    async fn receive(&self, wait_seconds: i32) -> Result<Vec<Message>> {
        let hidden = VISIBILITY_SECONDS + self.knobs().delay_ms.div_ceil(1000);
        let received = self
            .queues
            .receive_message()
            .queue_url(&self.link.queue_url)
            .max_number_of_messages(10)
            .visibility_timeout(i32::try_from(hidden).unwrap_or(i32::MAX))
            .wait_time_seconds(wait_seconds)
            .send()
            .await
            .context("ReceiveMessage")?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn deliver_or_record(
        &self,
        messages: Vec<Message>,
        knobs: Knobs,
        cut: &(impl Fn() -> bool + Sync),
    ) {
        for batch in messages.chunks(BATCH) {
            let delivered = if cut() || self.knobs().cut {
                self.put_back(batch).await
            } else {
                self.deliver(batch, knobs).await
            };
            match delivered {
                Ok(()) => {
                    if let Ok(mut last) = self.last_error.lock() {
                        *last = None;
                    }
                }
                Err(error) => {
                    self.record_error(&error);
                    self.put_back(batch).await.ok();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }

    async fn deliver(&self, batch: &[Message], knobs: Knobs) -> Result<()> {
        let bodies = batch.iter().filter_map(Message::body);
        let entries: Vec<_> = bodies
            .map(|body| entry(body, &self.link.bus))
            .collect::<Result<_>>()?;
        for _ in 0..=knobs.duplicate {
            let put = self.events.put_events().set_entries(Some(entries.clone()));
            let answer = put.send().await.context("PutEvents")?;
            if answer.failed_entry_count() > 0 {
                bail!(
                    "{} of {} events were refused",
                    answer.failed_entry_count(),
                    batch.len()
                );
            }
        }
        let delete = batch.iter().enumerate().filter_map(|(index, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle()?)
                .build()
                .ok()
        });
        let delete = self
            .queues
            .delete_message_batch()
            .queue_url(&self.link.queue_url)
            .set_entries(Some(delete.collect()));
        delete.send().await.context("DeleteMessageBatch")?;
        self.delivered
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn put_back(&self, batch: &[Message]) -> Result<()> {
        for handle in batch.iter().filter_map(Message::receipt_handle) {
            self.queues
                .change_message_visibility()
                .queue_url(&self.link.queue_url)
                .receipt_handle(handle)
                .visibility_timeout(0)
                .send()
                .await
                .context("ChangeMessageVisibility")?;
        }
        Ok(())
    }

    fn record_error(&self, error: &anyhow::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut last) = self.last_error.lock() {
            *last = Some(format!("{error:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bus_of_another_region_is_remote() {
        let arn = "arn:aws:events:us-east-1:000000000000:event-bus/meridian-home";
        assert_eq!(
            remote_bus(arn, "eu-central-1"),
            Some(("us-east-1", "meridian-home"))
        );
        assert_eq!(remote_bus(arn, "us-east-1"), None);
        assert_eq!(
            remote_bus("arn:aws:sqs:us-east-1:000000000000:queue", "eu-central-1"),
            None
        );
        assert_eq!(remote_bus("nonsense", "eu-central-1"), None);
    }

    #[test]
    fn an_event_is_delivered_unchanged() {
        let body = r#"{"version":"0","id":"i","detail-type":"T.v1","source":"meridian.x","account":"0",
            "time":"2026-11-01T10:00:00Z","region":"eu-central-1","resources":[],
            "detail":{"value":"1.10", "number": 12345678901234567890.123456789}}"#;
        let entry = entry(body, "home").unwrap();
        assert_eq!(entry.source(), Some("meridian.x"));
        assert_eq!(entry.detail_type(), Some("T.v1"));
        assert_eq!(entry.event_bus_name(), Some("home"));
        assert_eq!(
            entry.time().map(aws_smithy_types::DateTime::secs),
            Some(1_793_527_200)
        );
        let detail = r#"{"value":"1.10", "number": 12345678901234567890.123456789}"#;
        assert_eq!(entry.detail(), Some(detail));
        assert!(super::entry("{}", "home").is_err());
    }
}
