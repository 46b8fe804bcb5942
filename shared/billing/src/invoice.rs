//! Invoices: a fixed fee, usage, and what earlier invoices could not know.

use crate::{
    Billability, MeterUsage, PeriodUsage, RatingRefusal, Step, UnroundedAmount, rate_units,
    total_usage,
};
use catalogue::{Catalogue, ChargeModel, Meter, Plan};
use contract::UsageWindow;
use kernel::{
    BillingPeriod, Currency, InvoiceId, LegalEntity, MeterCode, Money, PlanCode, TenantId,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many periods back an invoice looks for usage that arrived late.
pub const LOOK_BACK_PERIODS: usize = 2;

/// A tenant's invoice for a period. Immutable but for its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    /// Its identity, which follows from tenant and period.
    pub id: InvoiceId,
    /// Its number, in the books of whoever issues it.
    #[serde(flatten)]
    pub number: InvoiceNumber,
    /// Where it is in its life.
    pub state: InvoiceState,
    /// When it was issued, by the clock of the billing run.
    pub issued_at: Timestamp,
    /// What it bills.
    #[serde(flatten)]
    pub draft: Draft,
}

/// An invoice's number: gapless per legal entity, from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct InvoiceNumber {
    /// Who issues the invoice.
    pub legal_entity: LegalEntity,
    /// The number.
    pub number: u64,
}

/// Where an invoice is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum InvoiceState {
    /// Issued and not yet paid.
    Issued,
}

/// What an invoice bills, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
    /// The plan of the period.
    pub plan: PlanCode,
    /// The version of the catalogue that the plan is from.
    pub catalogue_version: u64,
    /// The fixed fee, the usage of each meter, and adjustments.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub total: Money,
    /// How many usage events this invoice is the first to bill.
    pub events: u64,
    /// How many usage reports of the tenant were known to be on their way when this was billed.
    /// What they bring is adjusted on a later invoice.
    pub missing_reports: u64,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// What the line is for.
    #[serde(flatten)]
    pub item: Item,
    /// What it costs. Rounded; nothing after it is.
    pub amount: Money,
}

/// What a line is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Item {
    /// The plan's fee of a period, in full whatever part of the period the tenant was in use.
    FixedFee {
        /// What the plan is called.
        name: String,
    },
    /// The usage of a meter.
    Usage {
        /// The meter and its price.
        #[serde(flatten)]
        metered: PriceSnapshot,
        /// What was used.
        #[serde(flatten)]
        reading: ChargeLine,
    },
    /// What usage of an earlier period costs beyond what was billed for it.
    Adjustment(Adjustment),
}

/// A correction of what an earlier invoice billed for a meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adjustment {
    /// The earlier period.
    pub adjusted_period: BillingPeriod,
    /// The meter, and the price that it had in that period.
    #[serde(flatten)]
    pub metered: PriceSnapshot,
    /// What has been billed so far.
    pub billed: ChargeLine,
    /// What should have been.
    pub now: ChargeLine,
}

/// A meter as an invoice shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceSnapshot {
    /// The meter.
    pub meter: MeterCode,
    /// What one unit is called.
    pub unit: String,
    /// How units become an amount; absent where the plan includes the meter without a price.
    pub charge: Option<ChargeModel>,
}

/// A quantity with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChargeLine {
    /// How much was used.
    pub quantity: UnroundedAmount,
    /// In how many usage events.
    pub events: u64,
    /// What the quantity went through.
    pub steps: Vec<Step>,
    /// The sum of the steps.
    pub exact: UnroundedAmount,
    /// The sum, rounded.
    pub charged: Money,
}

/// What a list of invoices shows of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceSummary {
    /// Its identity.
    pub id: InvoiceId,
    /// Its number.
    #[serde(flatten)]
    pub number: InvoiceNumber,
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
    /// Where it is in its life.
    pub state: InvoiceState,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// What is to be paid.
    pub total: Money,
    /// How many usage events it bills.
    pub events: u64,
}

/// All that an invoice is decided from.
#[derive(Debug, Clone, Copy)]
pub struct Billing<'a> {
    /// The prices.
    pub catalogue: &'a Catalogue,
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
    /// What the tenant can be billed for in the period, and its plan.
    pub billability: Billability<'a>,
    /// The period's usage. Only of a tenant that was in use.
    pub usage: &'a PeriodUsage,
    /// The invoices of the [`LOOK_BACK_PERIODS`] before, where there are any.
    pub earlier: &'a [PriorInvoice],
    /// How many usage reports are known to be missing.
    pub missing_reports: u64,
}

/// An earlier invoice, and the usage of its period as it is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorInvoice {
    /// What was billed.
    pub invoice: Invoice,
    /// The usage of that period, late arrivals included.
    pub usage: PeriodUsage,
}

/// Why there can be no invoice yet.
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
    /// A charge contradicts itself.
    #[error("the charge of meter {meter} cannot be rated")]
    Charge {
        /// The meter.
        meter: MeterCode,
        /// How.
        source: RatingRefusal,
    },
    /// An adjustment is in the currency of a plan that the tenant has left.
    #[error("period {period} was billed in {currency}, which this invoice cannot adjust")]
    OtherCurrency {
        /// The period to be adjusted.
        period: BillingPeriod,
        /// Its currency.
        currency: Currency,
    },
}

impl PriorInvoice {
    /// An earlier invoice, and the windows of its period.
    ///
    /// # Errors
    /// When a window's meter is not in the catalogue.
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
    /// The invoice's identity.
    #[must_use]
    pub fn id(&self) -> InvoiceId {
        InvoiceId::of(self.tenant, self.period)
    }
}

impl Invoice {
    /// What a list shows.
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

/// Plans a tenant's invoice: the fixed fee, a line per meter that the plan prices or that was used,
/// and a line per meter of an earlier period whose usage is no longer what was billed. A tenant
/// that is not in use any more gets the lines of earlier periods only, which may be none.
///
/// # Errors
/// When the catalogue does not allow it, see [`InvoiceRefusal`].
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
    /// How many usage events this line is the first to bill; none when it takes events back.
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

/// Priced meters in the plan's order, used or not; then what was used although the plan has no
/// price for it, so that no usage event is left out of the bill.
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

/// Whether an earlier period's usage is no longer what its invoice, or a later adjustment, billed
/// for it.
#[must_use]
pub fn has_late_usage(earlier: &[PriorInvoice]) -> bool {
    !find_late(earlier).is_empty()
}

/// A meter of an earlier period whose usage is no longer what was billed.
struct Late<'a> {
    earlier: &'a Invoice,
    meter: &'a MeterCode,
    usage: &'a MeterUsage,
    /// What was billed; nothing where the meter was not on the bill.
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

/// Bills what an earlier period's usage costs beyond what was billed for it, at the prices that the
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

/// What has been billed for a period, per meter: its own invoice's line, or the newest adjustment
/// of it.
fn billed_for(
    period: BillingPeriod,
    earlier: &[PriorInvoice],
) -> BTreeMap<&MeterCode, (&PriceSnapshot, &ChargeLine)> {
    let mut invoices: Vec<&Invoice> = earlier.iter().map(|earlier| &earlier.invoice).collect();
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
