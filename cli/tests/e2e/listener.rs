//! The events on a region's bus, as an application plane receives them.

use anyhow::{Context, Result};
use aws_sdk_eventbridge::types::Target;
use local_aws::Stack;

/// How many times events are received, each time for up to a second.
const TRIES_MAX: usize = 20;

/// A rule on a region's bus, with a queue of its own.
pub(crate) struct Listener {
    events: aws_sdk_eventbridge::Client,
    queues: aws_sdk_sqs::Client,
    bus: String,
    rule: String,
    queue_url: String,
}

impl Listener {
    /// Receives the events that match a pattern from now on.
    pub(crate) async fn new(
        stack: &Stack,
        region: &str,
        rule: &str,
        pattern: &str,
    ) -> Result<Self> {
        let config = stack.emulator_sdk(region)?;
        let (events, queues) = (
            aws_sdk_eventbridge::Client::new(&config),
            aws_sdk_sqs::Client::new(&config),
        );
        let bus = stack
            .deployment()
            .region(region)?
            .buses
            .get("regional")
            .context("a region has its bus")?
            .clone();
        let name = format!("{rule}-dead-letter-free");
        let queue = queues.create_queue().queue_name(&name).send().await?;
        let queue_url = queue.queue_url().context("a queue has its URL")?.to_owned();
        events
            .put_rule()
            .event_bus_name(&bus)
            .name(rule)
            .event_pattern(pattern)
            .send()
            .await?;
        let arn = format!("arn:aws:sqs:{region}:000000000000:{name}");
        let target = Target::builder().id("queue").arn(arn).build()?;
        events
            .put_targets()
            .event_bus_name(&bus)
            .rule(rule)
            .targets(target)
            .send()
            .await?;
        Ok(Self {
            events,
            queues,
            bus,
            rule: rule.to_owned(),
            queue_url,
        })
    }

    /// Receives events until `is_enough` holds for them and no more follow, or until [`TRIES_MAX`]
    /// is reached. Returns their bodies, one after the other.
    pub(crate) async fn receive_until(&self, is_enough: impl Fn(&str) -> bool) -> Result<String> {
        let mut bodies = String::new();
        for _ in 0..TRIES_MAX {
            let received = self
                .queues
                .receive_message()
                .queue_url(&self.queue_url)
                .max_number_of_messages(10)
                .wait_time_seconds(1)
                .send()
                .await?;
            for message in received.messages() {
                bodies.push_str(message.body().context("a message has its body")?);
                let receipt = message
                    .receipt_handle()
                    .context("a message has its receipt")?;
                self.queues
                    .delete_message()
                    .queue_url(&self.queue_url)
                    .receipt_handle(receipt)
                    .send()
                    .await?;
            }
            // Later events in the queue are received too, because one of them may be a duplicate.
            if received.messages().is_empty() && is_enough(&bodies) {
                break;
            }
        }
        Ok(bodies)
    }

    /// Deletes the rule and the queue.
    pub(crate) async fn end(self) -> Result<()> {
        let Self {
            events,
            queues,
            bus,
            rule,
            queue_url,
        } = self;
        events
            .remove_targets()
            .event_bus_name(&bus)
            .rule(&rule)
            .ids("queue")
            .send()
            .await?;
        events
            .delete_rule()
            .event_bus_name(&bus)
            .name(&rule)
            .send()
            .await?;
        queues.delete_queue().queue_url(queue_url).send().await?;
        Ok(())
    }
}
