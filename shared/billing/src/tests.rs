mod accounts;
mod completeness;
mod extremes;
mod invoices;
mod rating;
mod received;
mod runs;
mod usage;

use crate::*;
use catalogue::{Catalogue, ChargeModel, Tier};
use contract::{UsageWindow, WindowPart};
use kernel::{
    BillingPeriod, InvoiceId, Money, PlanCode, PlanDecimal, Quantity, TenantId, Timestamp,
    UsageGroup, WindowSize,
};
use proptest::prelude::*;

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn number(text: &str) -> PlanDecimal {
    text.parse().unwrap()
}

fn exact(text: &str) -> UnroundedAmount {
    text.parse().unwrap()
}

fn period(text: &str) -> BillingPeriod {
    text.parse().unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tenant(n: u8) -> TenantId {
    format!("01890a5d-ac96-774b-bcce-b302099a80{n:02x}")
        .parse()
        .unwrap()
}

fn tier(up_to: Option<&str>, unit_price: &str, flat_fee: &str) -> Tier {
    Tier {
        up_to: up_to.map(number),
        unit_price: number(unit_price),
        flat_fee: number(flat_fee),
    }
}

fn money(text: &str, currency: &str) -> Money {
    Money::new(text.parse().unwrap(), currency.parse().unwrap())
}

fn window(meter: &str, day: u8, value: &str, events: i64) -> UsageWindow {
    UsageWindow {
        meter: meter.parse().unwrap(),
        group: UsageGroup::default(),
        size: WindowSize::Day,
        start: moment(&format!("2026-10-{day:02}T00:00:00Z")),
        part: WindowPart::Window,
        value: quantity(value),
        events,
        latest_at: None,
        revision: 1,
    }
}

/// A non-negative decimal with up to six decimals.
fn any_quantity() -> impl Strategy<Value = Quantity> {
    (0_u64..2_000_000_000, 0_u32..7)
        .prop_map(|(digits, decimals)| quantity(&format!("{digits}e-{decimals}")))
}

/// The same as a number of a plan.
fn any_number() -> impl Strategy<Value = PlanDecimal> {
    any_quantity().prop_map(|quantity| number(&quantity.to_string()))
}

/// Tiers with rising ends. The last has none.
fn any_tiers() -> impl Strategy<Value = Vec<Tier>> {
    let inner = prop::collection::vec((1_u64..100_000, any_number(), any_number()), 0..4);
    (inner, any_number(), any_number()).prop_map(|(inner, unit_price, flat_fee)| {
        let mut end = 0;
        let mut tiers: Vec<Tier> = inner
            .into_iter()
            .map(|(width, unit_price, flat_fee)| {
                end += width;
                Tier {
                    up_to: Some(PlanDecimal::from(end)),
                    unit_price,
                    flat_fee,
                }
            })
            .collect();
        tiers.push(Tier {
            up_to: None,
            unit_price,
            flat_fee,
        });
        tiers
    })
}

fn any_model() -> impl Strategy<Value = ChargeModel> {
    prop_oneof![
        any_number().prop_map(|unit_price| ChargeModel::Standard { unit_price }),
        any_tiers().prop_map(|tiers| ChargeModel::Graduated { tiers }),
        any_tiers().prop_map(|tiers| ChargeModel::Volume { tiers }),
        (any_number(), 1_u64..5_000, any_number()).prop_map(|(free_units, size, price)| {
            ChargeModel::Package {
                free_units,
                size: PlanDecimal::from(size),
                price,
            }
        }),
    ]
}
