//! Compares usage with alert thresholds. A bus event of totals only names the tenant, meter and
//! period to check: the stored totals are compared, since events may come late or out of order.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use catalogue::Catalogue;
use contract::{BusEvent, Envelope, Stream, UsageWindow, UsageWindowUpdated};
use kernel::{BillingPeriod, MeterCode, Timestamp};
use runtime::queue::{BusMessage, MessageError, each};
use std::collections::BTreeMap;
use std::convert::Infallible;
use usage_store::{TermsReader, UsageAlerts, UsageStoreError};

/// Checks the thresholds for each bus event of the batch. The queue redelivers failed messages, and
/// moves them to the dead-letter queue in the end.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, Infallible> {
    Ok(each(event, async |message: &SqsMessage| {
        check(adapters, message).await
    })
    .await)
}

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) catalogue: Catalogue,
    pub(crate) terms: TermsReader,
    pub(crate) thresholds: UsageAlerts,
}

/// A failure to check the thresholds.
#[derive(Debug, thiserror::Error)]
enum AlertError {
    #[error("the message cannot be read")]
    Unreadable(#[source] MessageError),
    #[error("the event has no totals")]
    OtherEvent,
    #[error("the totals came in another stream than their tenant's")]
    OtherStream,
    #[error("the tenant's plan could not be loaded")]
    NoPlan(#[source] UsageStoreError),
    #[error("a threshold could not be compared or published")]
    NotPublished(#[source] UsageStoreError),
}

async fn check(adapters: &Adapters, message: &SqsMessage) -> Result<(), AlertError> {
    let UsageWindowUpdated { tenant, windows } = totals(message)?;
    let found = adapters.terms.plan_terms(tenant).await;
    let found = found.map_err(AlertError::NoPlan)?.and_then(|terms| {
        let plan = adapters.catalogue.plan(&terms.plan)?;
        Some((plan, terms.alert_thresholds))
    });
    let Some((plan, own)) = found else {
        // The tenant is erased, or its plan is of another release: there is no allowance to compare
        // with.
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
            let published = adapters
                .thresholds
                .notify(tenant, meter, &allowance, day, runtime::now())
                .await;
            for percent in published.map_err(AlertError::NotPublished)? {
                tracing::info!(%tenant, meter = %meter.code, percent, "published a threshold");
            }
        }
    }
    Ok(())
}

/// For each billing period with a total of the meter, the start of the last day that has one. One
/// check per period is enough, since it compares the whole period.
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
