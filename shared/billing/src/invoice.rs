//! Invoices: a fixed fee, usage, and adjustments of earlier invoices.

use crate::account::Billability;
use crate::rating::{RatingRefusal, Step, rate_units};
use crate::unrounded::UnroundedAmount;
use crate::usage::{MeterUsage, PeriodUsage, total_usage};
use catalogue::{Catalogue, ChargeModel, Meter, Plan};
use contract::UsageWindow;
use kernel::{
    BillingPeriod, Currency, InvoiceId, LegalEntity, MeterCode, Money, PlanCode, TenantId,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The number of earlier periods that an invoice adjusts for late usage. An event is accepted for
/// 35 days after its time, so it can arrive after the billing run of its period.
pub const LOOK_BACK_PERIODS: usize = 2;

/// A tenant's invoice for a period. Everything but its state is immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    /// The id, derived from tenant and period.
    pub id: InvoiceId,
    /// The number within the legal entity.
    #[serde(flatten)]
    pub number: InvoiceNumber,
    /// The state.
    pub state: InvoiceState,
    /// The time of issue, by the clock of the billing run.
    pub issued_at: Timestamp,
    /// The billed content.
    #[serde(flatten)]
    pub draft: Draft,
}

/// An invoice number: gapless per legal entity, from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct InvoiceNumber {
    /// The issuer.
    pub legal_entity: LegalEntity,
    /// The number.
    pub number: u64,
}

/// The state of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum InvoiceState {
    /// Issued and not yet paid.
    Issued,
}

/// The content of an invoice before it has a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
    /// The plan that applies to the period.
    pub plan: PlanCode,
    /// The version of the catalogue that the plan is from.
    pub catalogue_version: u64,
    /// The fixed fee, the usage of each meter, and adjustments.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub total: Money,
    /// The number of usage events that this invoice is the first to bill.
    pub events: u64,
    /// The number of the tenant's usage reports that were known to be missing at the time. Their
    /// usage is adjusted on a later invoice.
    pub missing_reports: u64,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The billed item.
    #[serde(flatten)]
    pub item: Item,
    /// The rounded amount. Sums of it are not rounded again.
    pub amount: Money,
}

/// The item of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Item {
    /// The plan's fee for a period, in full even if the tenant was in use for a part of it.
    FixedFee {
        /// The name of the plan.
        name: String,
    },
    /// The usage of a meter.
    Usage {
        /// The meter and its price.
        #[serde(flatten)]
        metered: PriceSnapshot,
        /// The quantity and its amount.
        #[serde(flatten)]
        reading: ChargeLine,
    },
    /// The difference between the usage of an earlier period and its invoice.
    Adjustment(Adjustment),
}

/// A correction of what an earlier invoice billed for a meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// The earlier period.
    pub adjusted_period: BillingPeriod,
    /// The meter and its price in that period.
    #[serde(flatten)]
    pub metered: PriceSnapshot,
    /// The amount billed so far.
    pub billed: ChargeLine,
    /// The amount with late usage included.
    pub now: ChargeLine,
}

/// A meter with its price at the time of billing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceSnapshot {
    /// The meter.
    pub meter: MeterCode,
    /// The name of a unit.
    pub unit: String,
    /// The charge model; absent if the plan has no price for the meter.
    pub charge: Option<ChargeModel>,
}

/// A quantity with its rated amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChargeLine {
    /// The usage.
    pub quantity: UnroundedAmount,
    /// The number of usage events.
    pub events: u64,
    /// The steps of rating.
    pub steps: Vec<Step>,
    /// The sum of the steps, not rounded.
    pub exact: UnroundedAmount,
    /// The rounded sum.
    pub charged: Money,
}

/// The entry of an invoice in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceSummary {
    /// The id.
    pub id: InvoiceId,
    /// The number.
    #[serde(flatten)]
    pub number: InvoiceNumber,
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
    /// The state.
    pub state: InvoiceState,
    /// The time of issue.
    pub issued_at: Timestamp,
    /// The amount to pay.
    pub total: Money,
    /// The number of usage events that it bills.
    pub events: u64,
}

/// The input of [`plan_invoice`].
#[derive(Debug, Clone, Copy)]
pub struct Billing<'a> {
    /// The prices.
    pub catalogue: &'a Catalogue,
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
    /// The tenant's billability in the period, and its plan.
    pub billability: Billability<'a>,
    /// The period's usage. It is billed only if the tenant was in use.
    pub usage: &'a PeriodUsage,
    /// The invoices of the [`LOOK_BACK_PERIODS`] before, if there are any.
    pub earlier: &'a [PriorInvoice],
    /// The number of usage reports that are known to be missing.
    pub missing_reports: u64,
}

/// An earlier invoice, and the current usage of its period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorInvoice {
    /// The invoice.
    pub invoice: Invoice,
    /// The usage of its period, including late usage.
    pub usage: PeriodUsage,
}

/// The reasons why an invoice cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceRefusal {
    /// The tenant's plan is not in the catalogue.
    #[error("plan {plan} is not in the catalogue")]
    UnknownPlan {
        /// The plan.
        plan: PlanCode,
    },
    /// A meter with usage is not in the catalogue.
    #[error("meter {meter} is not in the catalogue")]
    UnknownMeter {
        /// The meter.
        meter: MeterCode,
    },
    /// A charge cannot be rated.
    #[error("the charge of meter {meter} cannot be rated")]
    Charge {
        /// The meter.
        meter: MeterCode,
        /// The fault of the charge.
        source: RatingRefusal,
    },
    /// An adjustment would be in another currency than the invoice: the tenant has left the plan of
    /// that period.
    #[error("period {period} was billed in {currency}, which this invoice cannot adjust")]
    OtherCurrency {
        /// The period to adjust.
        period: BillingPeriod,
        /// Its currency.
        currency: Currency,
    },
}

impl PriorInvoice {
    /// Combines an earlier invoice with the windows of its period.
    ///
    /// # Errors
    /// [`InvoiceRefusal::UnknownMeter`] when a window's meter is not in the catalogue.
    pub fn of(
        catalogue: &Catalogue,
        invoice: Invoice,
        windows: &[UsageWindow],
    ) -> Result<Self, InvoiceRefusal> {
        Ok(Self {
            invoice,
            usage: total_usage(catalogue, windows)?,
        })
    }
}

impl Draft {
    /// The invoice's id.
    #[must_use]
    pub fn id(&self) -> InvoiceId {
        InvoiceId::of(self.tenant, self.period)
    }
}

impl Invoice {
    /// The entry of the invoice in a list.
    #[must_use]
    pub fn summary(&self) -> InvoiceSummary {
        InvoiceSummary {
            id: self.id,
            number: self.number.clone(),
            tenant: self.draft.tenant,
            period: self.draft.period,
            state: self.state,
            issued_at: self.issued_at,
            total: self.draft.total.clone(),
            events: self.draft.events,
        }
    }
}

/// Plans a tenant's invoice: the fixed fee, a line for each meter that the plan prices or that was
/// used, and a line for each meter of an earlier period whose usage differs from its invoice. A
/// tenant that is not in use any more gets only lines of earlier periods, possibly none.
///
/// # Errors
/// [`InvoiceRefusal`] when the catalogue does not cover the plan or its usage.
pub fn plan_invoice(billing: Billing<'_>) -> Result<Draft, InvoiceRefusal> {
    let Billing {
        catalogue,
        tenant,
        period,
        usage,
        ..
    } = billing;
    let plan = billing.billability.plan();
    let plan = catalogue
        .plan(plan)
        .ok_or_else(|| InvoiceRefusal::UnknownPlan { plan: plan.clone() })?;
    let mut lines = Vec::new();
    if matches!(billing.billability, Billability::InUse(_)) {
        lines.push(fixed_fee(plan));
        lines.extend(usage_lines(catalogue, plan, usage)?);
    }
    lines.extend(adjustment_lines(catalogue, plan, billing.earlier)?);
    let total = sum_lines(&lines, plan.currency);
    let events = lines
        .iter()
        .fold(0, |sum: u64, line| sum.saturating_add(line.events()));
    Ok(Draft {
        tenant,
        period,
        plan: plan.code.clone(),
        catalogue_version: catalogue.version,
        lines,
        total,
        events,
        missing_reports: billing.missing_reports,
    })
}

impl Line {
    /// The number of usage events that this line is the first to bill. It is zero if the line takes
    /// events back.
    fn events(&self) -> u64 {
        match &self.item {
            Item::FixedFee { .. } => 0,
            Item::Usage { reading, .. } => reading.events,
            Item::Adjustment(adjustment) => adjustment
                .now
                .events
                .saturating_sub(adjustment.billed.events),
        }
    }
}

fn fixed_fee(plan: &Plan) -> Line {
    let amount = UnroundedAmount::from(&plan.fixed_fee).rounded(plan.currency);
    Line {
        item: Item::FixedFee {
            name: plan.name.clone(),
        },
        amount,
    }
}

/// The lines of priced meters in the plan's order, used or not, and then of used meters without a
/// price, so that every usage event is on the invoice.
fn usage_lines(
    catalogue: &Catalogue,
    plan: &Plan,
    usage: &PeriodUsage,
) -> Result<Vec<Line>, InvoiceRefusal> {
    let priced = plan
        .charges
        .iter()
        .map(|charge| (&charge.meter, Some(&charge.model)));
    let is_priced = |meter: &MeterCode| plan.charges.iter().any(|charge| charge.meter == *meter);
    let included = usage
        .keys()
        .filter(|meter| !is_priced(meter))
        .map(|meter| (meter, None));
    let line = |(meter, charge): (&MeterCode, Option<&ChargeModel>)| {
        let metered = metered(known(catalogue, meter)?, charge.cloned());
        let (quantity, events) = measured(usage, meter);
        let reading = read(&metered, quantity, events, plan.currency)?;
        Ok(Line {
            amount: reading.charged.clone(),
            item: Item::Usage { metered, reading },
        })
    };
    priced.chain(included).map(line).collect()
}

/// Whether the usage of an earlier period differs from what its invoice and later adjustments
/// billed.
#[must_use]
pub fn has_late_usage(earlier: &[PriorInvoice]) -> bool {
    !find_late(earlier).is_empty()
}

/// A meter of an earlier period whose usage differs from what was billed.
struct Late<'a> {
    earlier: &'a Invoice,
    meter: &'a MeterCode,
    usage: &'a MeterUsage,
    /// The billed line, or nothing when the meter was on no invoice.
    billed: Option<(&'a PriceSnapshot, &'a ChargeLine)>,
}

fn find_late(earlier: &[PriorInvoice]) -> Vec<Late<'_>> {
    let mut found = Vec::new();
    for PriorInvoice { invoice, usage } in earlier {
        let billed = billed_for(invoice.draft.period, earlier);
        for (meter, usage) in usage {
            let billed = billed.get(meter).copied();
            let is_billed = match billed {
                Some((_, reading)) => {
                    reading.quantity == usage.quantity && reading.events == usage.events
                }
                // A meter on no invoice was billed as zero.
                None => usage.quantity == UnroundedAmount::zero() && usage.events == 0,
            };
            if !is_billed {
                found.push(Late {
                    earlier: invoice,
                    meter,
                    usage,
                    billed,
                });
            }
        }
    }
    found
}

/// Bills the difference between an earlier period's usage and its invoices, at the prices that the
/// period was billed at.
fn adjustment_lines(
    catalogue: &Catalogue,
    plan: &Plan,
    earlier: &[PriorInvoice],
) -> Result<Vec<Line>, InvoiceRefusal> {
    let mut lines = Vec::new();
    for Late {
        earlier,
        meter,
        usage,
        billed,
    } in find_late(earlier)
    {
        let currency = earlier.draft.total.currency;
        let adjusted_period = earlier.draft.period;
        // An invoice has one currency.
        if currency != plan.currency {
            return Err(InvoiceRefusal::OtherCurrency {
                period: adjusted_period,
                currency,
            });
        }
        let (metered, billed) = match billed {
            Some((metered, reading)) => (metered.clone(), reading.clone()),
            None => {
                let metered = metered(known(catalogue, meter)?, None);
                let nothing = read(&metered, UnroundedAmount::zero(), 0, currency)?;
                (metered, nothing)
            }
        };
        let now = read(&metered, usage.quantity.clone(), usage.events, currency)?;
        let difference = UnroundedAmount::from(&now.charged.amount)
            - &UnroundedAmount::from(&billed.charged.amount);
        let amount = difference.rounded(currency);
        lines.push(Line {
            item: Item::Adjustment(Adjustment {
                adjusted_period,
                metered,
                billed,
                now,
            }),
            amount,
        });
    }
    Ok(lines)
}

/// The latest billing of a period by meter: the line of its own invoice, or the newest adjustment
/// of it.
fn billed_for(
    period: BillingPeriod,
    earlier: &[PriorInvoice],
) -> BTreeMap<&MeterCode, (&PriceSnapshot, &ChargeLine)> {
    let mut invoices: Vec<&Invoice> = earlier.iter().map(|earlier| &earlier.invoice).collect();
    // A later invoice overwrites an earlier one: its adjustment includes all before it.
    invoices.sort_by_key(|invoice| invoice.draft.period);
    let mut billed = BTreeMap::new();
    for invoice in invoices {
        for line in &invoice.draft.lines {
            match &line.item {
                Item::Usage { metered, reading } if invoice.draft.period == period => {
                    billed.insert(&metered.meter, (metered, reading));
                }
                Item::Adjustment(adjustment) if adjustment.adjusted_period == period => {
                    billed.insert(
                        &adjustment.metered.meter,
                        (&adjustment.metered, &adjustment.now),
                    );
                }
                Item::FixedFee { .. } | Item::Usage { .. } | Item::Adjustment(_) => {}
            }
        }
    }
    billed
}

fn read(
    metered: &PriceSnapshot,
    quantity: UnroundedAmount,
    events: u64,
    currency: Currency,
) -> Result<ChargeLine, InvoiceRefusal> {
    let rated = match &metered.charge {
        Some(charge) => rate_units(charge, &quantity).map_err(|source| InvoiceRefusal::Charge {
            meter: metered.meter.clone(),
            source,
        })?,
        None => crate::Rated {
            steps: vec![Step::Free {
                units: quantity.clone(),
            }],
            amount: UnroundedAmount::zero(),
        },
    };
    let charged = rated.amount.rounded(currency);
    Ok(ChargeLine {
        quantity,
        events,
        steps: rated.steps,
        exact: rated.amount,
        charged,
    })
}

fn sum_lines(lines: &[Line], currency: Currency) -> Money {
    let sum = lines.iter().fold(UnroundedAmount::zero(), |sum, line| {
        sum + &UnroundedAmount::from(&line.amount.amount)
    });
    sum.rounded(currency)
}

fn metered(meter: &Meter, charge: Option<ChargeModel>) -> PriceSnapshot {
    PriceSnapshot {
        meter: meter.code.clone(),
        unit: meter.unit.clone(),
        charge,
    }
}

fn known<'a>(catalogue: &'a Catalogue, meter: &MeterCode) -> Result<&'a Meter, InvoiceRefusal> {
    catalogue
        .meter(meter)
        .ok_or_else(|| InvoiceRefusal::UnknownMeter {
            meter: meter.clone(),
        })
}

fn measured(usage: &PeriodUsage, meter: &MeterCode) -> (UnroundedAmount, u64) {
    usage.get(meter).map_or_else(
        || (UnroundedAmount::zero(), 0),
        |usage| (usage.quantity.clone(), usage.events),
    )
}
