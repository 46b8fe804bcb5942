//! Usage alerts: publishes each threshold of a plan's allowance once per billing period.

use crate::UsageStoreError;
use crate::items;
use catalogue::{Allowance, Meter};
use contract::application::UsageThresholdReached;
use contract::{Envelope, Stream};
use dynamo::{Attributes as _, Error, Item, Table};
use kernel::{
    BillingAnchor, EventId, Quantity, RegionCode, TenantId, Timestamp, UsageGroup, WindowSize,
};
use metering::{Page, PageKey, Question};
use outbox::{Outbox, Row, Target};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Compares usage with a plan's allowances, and publishes the thresholds that it has reached.
#[derive(Debug)]
pub struct UsageAlerts {
    table: Table,
    outbox: Outbox,
    region: RegionCode,
    next_id: fn() -> Uuid,
}

/// The allowance of a tenant in one billing period.
struct Comparison<'a> {
    tenant: TenantId,
    allowance: &'a Allowance,
    /// The first moment of the billing period.
    period_start: Timestamp,
}

impl UsageAlerts {
    /// Compares the totals of a table, and publishes bus events of a region. `next_id` makes the
    /// ids of bus events.
    #[must_use]
    pub fn new(
        config: &aws_types::SdkConfig,
        table: String,
        outbox: Outbox,
        region: RegionCode,
        next_id: fn() -> Uuid,
    ) -> Self {
        Self {
            table: Table::new(config, table),
            outbox,
            region,
            next_id,
        }
    }

    /// Publishes the thresholds of an allowance that the usage of a day's billing period has
    /// reached and that were not published before. Returns the newly published ones, in percent.
    ///
    /// # Errors
    /// When the table fails. The call may always be repeated.
    pub async fn notify(
        &self,
        tenant: TenantId,
        meter: &Meter,
        allowance: &Allowance,
        day: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<u16>, UsageStoreError> {
        let anchor = BillingAnchor::of_day(day);
        let period_start = WindowSize::Month.start(day, anchor);
        let comparison = Comparison {
            tenant,
            allowance,
            period_start,
        };
        let page = PageKey::of(&meter.code, WindowSize::Month, period_start);
        let marks = allowance
            .alert_percents
            .iter()
            .map(|percent| comparison.mark(*percent));
        let keys = marks.chain([items::page_key(tenant, &page)]).collect();
        let (mut sent, mut pages) = (BTreeSet::new(), BTreeMap::new());
        let found = self.table.batch_get(keys).send().await;
        for item in found.map_err(UsageStoreError::of("load the usage of an allowance"))? {
            if items::is_page(item.sort()) {
                pages.extend([items::page(&item)?]);
            } else {
                sent.insert(item.sort().to_owned());
            }
        }
        let Some(value) = value_of(meter, anchor, period_start, &pages) else {
            return Ok(Vec::new());
        };
        let mut newly_sent = Vec::new();
        for percent in &allowance.alert_percents {
            let is_sent = sent.contains(&comparison.mark_sort(*percent));
            if !is_sent
                && value.reaches(*percent, &allowance.quantity)
                && self.alert_once(&comparison, *percent, &value, now).await?
            {
                newly_sent.push(*percent);
            }
        }
        Ok(newly_sent)
    }

    /// Publishes a threshold in the transaction that writes its mark. Returns false when another
    /// invocation has written the mark meanwhile.
    async fn alert_once(
        &self,
        comparison: &Comparison<'_>,
        percent: u16,
        value: &Quantity,
        now: Timestamp,
    ) -> Result<bool, UsageStoreError> {
        let Comparison {
            tenant,
            allowance,
            period_start,
        } = *comparison;
        let note = self.table.put(comparison.mark(percent)).if_absent();
        let envelope = Envelope {
            id: EventId::from_uuid((self.next_id)()),
            region: self.region.clone(),
            stream: Stream::Usage(tenant),
            // A threshold has no place in the checkpoint's sequence; its percentage numbers it.
            sequence: percent.into(),
            occurred_at: now,
            data: UsageThresholdReached {
                tenant,
                meter: allowance.meter.clone(),
                period_start,
                percent,
                allowance: allowance.quantity.clone(),
                value: value.clone(),
            },
        };
        let row = Row::new(Target::Regional, &envelope).map_err(UsageStoreError::unwritable)?;
        let written = self.table.transact(vec![note, self.outbox.put(&row)]).await;
        Error::is_written(written).map_err(UsageStoreError::of("publish a usage threshold"))
    }
}

impl Comparison<'_> {
    fn mark_sort(&self, percent: u16) -> String {
        items::alert_sort(self.period_start, &self.allowance.meter, percent)
    }

    fn mark(&self, percent: u16) -> Item {
        items::alert_key(
            self.tenant,
            self.period_start,
            &self.allowance.meter,
            percent,
        )
    }
}

/// The usage of a billing period so far. None where the meter cannot be totalled over a period.
fn value_of(
    meter: &Meter,
    anchor: BillingAnchor,
    period_start: Timestamp,
    pages: &BTreeMap<PageKey, Page>,
) -> Option<Quantity> {
    let (size, to) = (WindowSize::Month, WindowSize::Month.end(period_start));
    let (group_by, filter) = (Vec::new(), UsageGroup::default());
    let question = Question {
        meter,
        size,
        from: period_start,
        to,
        anchor,
        group_by,
        filter,
    };
    let totals = question.answer(pages, None).ok()?;
    totals.into_iter().next().map(|total| total.value)
}
