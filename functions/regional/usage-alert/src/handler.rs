//! A statement of totals says only where to look: what is compared is what is stored by now.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use catalogue::Catalogue;
use contract::{BusEvent, Envelope, Stream, UsageWindow, UsageWindowUpdated};
use kernel::{BillingPeriod, MeterCode, Timestamp};
use runtime::queue::{BusMessage, MessageError, each};
use std::collections::BTreeMap;
use std::convert::Infallible;
use usage_store::{TermsReader, UsageAlerts, UsageStoreError};

/// Looks at what each statement of the batch is about; what cannot be looked at comes again, and
/// ends in the dead-letter queue.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        look(adapters, message).await
    })
    .await)
}

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) catalogue: Catalogue,
    pub(crate) terms: TermsReader,
    pub(crate) thresholds: UsageAlerts,
}

/// Why it is not known whether a threshold is reached.
#[derive(Debug, thiserror::Error)]
enum AlertError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event states no totals")]
    OtherEvent,
    #[error("the totals came in another stream than their tenant's")]
    OtherStream,
    #[error("the tenant's plan is not loaded")]
    NoPlan(#[source] UsageStoreError),
    #[error("the thresholds are not compared or told")]
    NotTold(#[source] UsageStoreError),
}

async fn look(adapters: &Adapters, message: &SqsMessage) -> Result<(), AlertError> {
    let UsageWindowUpdated { tenant, windows } = totals(message)?;
    let found = adapters.terms.plan_terms(tenant).await;
    let found = found.map_err(AlertError::NoPlan)?.and_then(|terms| {
        let plan = adapters.catalogue.plan(&terms.plan)?;
        Some((plan, terms.alert_thresholds))
    });
    let Some((plan, own)) = found else {
        // Erased meanwhile, or on a plan of another release: there is nothing to compare with.
        return Ok(());
    };
    for allowance in plan
        .allowances
        .iter()
        .map(|allowance| own.added_to(allowance))
    {
        let Some(meter) = adapters.catalogue.meter(&allowance.meter) else {
            continue;
        };
        for day in days_of(&windows, &allowance.meter) {
            let told = adapters
                .thresholds
                .notify(tenant, meter, &allowance, day, runtime::now())
                .await;
            for percent in told.map_err(AlertError::NotTold)? {
                tracing::info!(%tenant, meter = %meter.code, percent, "a threshold is reached");
            }
        }
    }
    Ok(())
}

/// The first moment of the last day with a total of a meter, of each billing period.
fn days_of(windows: &[UsageWindow], meter: &MeterCode) -> impl Iterator<Item = Timestamp> {
    let mut last: BTreeMap<BillingPeriod, Timestamp> = BTreeMap::new();
    for window in windows.iter().filter(|window| window.meter == *meter) {
        let day = last
            .entry(BillingPeriod::of_day(window.start))
            .or_insert(window.start);
        *day = window.start.max(*day);
    }
    last.into_values()
}

fn totals(message: &SqsMessage) -> Result<UsageWindowUpdated, AlertError> {
    let event = BusMessage::parse(message).map_err(AlertError::Unreadable)?;
    if (event.detail_type.as_str(), event.source.as_str())
        != (UsageWindowUpdated::TYPE, UsageWindowUpdated::SOURCE)
    {
        return Err(AlertError::OtherEvent);
    }
    let bus_event: Envelope<UsageWindowUpdated> = event.detail().map_err(AlertError::Unreadable)?;
    if bus_event.stream == Stream::Usage(bus_event.data.tenant) {
        Ok(bus_event.data)
    } else {
        Err(AlertError::OtherStream)
    }
}
