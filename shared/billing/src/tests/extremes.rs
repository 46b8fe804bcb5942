//! Every usage at every price is invoiced, also at the bounds of every number.

use super::*;
use catalogue::Charge;
use kernel::{MeterCode, Mode};

/// The widest and the finest number of a width, and some between.
fn any_of_width(whole: usize, decimals: usize) -> impl Strategy<Value = String> {
    let nines =
        move |w: usize, d: usize| format!("{}.{}", "9".repeat(w.max(1)), "9".repeat(d.max(1)));
    prop_oneof![
        2 => Just(nines(whole, decimals)),
        1 => Just(format!("0.{}1", "0".repeat(decimals - 1))),
        1 => Just("0".to_owned()),
        1 => Just(format!("1{}", "0".repeat(whole - 1))),
        3 => (1..=whole, 1..=decimals, "[0-9]{8}").prop_map(|(w, d, digits)| {
            let cut = |length: usize| digits.chars().cycle().take(length).collect::<String>();
            format!("{}.{}", cut(w), cut(d))
        }),
    ]
}

fn any_total() -> impl Strategy<Value = Quantity> {
    (any_of_width(57, 340), prop::bool::weighted(0.2)).prop_map(|(text, is_negative)| {
        quantity(&if is_negative {
            format!("-{text}")
        } else {
            text
        })
    })
}

fn any_price() -> impl Strategy<Value = PlanDecimal> {
    any_of_width(20, 20).prop_map(|text| number(&text))
}

/// A consistent charge model with numbers of any width.
fn any_wide_model() -> impl Strategy<Value = ChargeModel> {
    let tiers = prop::collection::vec((any_price(), any_price(), any_price()), 0..4);
    let tiers = (tiers, any_price(), any_price()).prop_map(|(mut inner, unit_price, flat_fee)| {
        inner.sort();
        inner.dedup_by(|(a, ..), (b, ..)| a == b);
        let inner = inner
            .into_iter()
            .filter(|(end, ..)| *end > PlanDecimal::zero());
        let inner = inner.map(|(end, unit_price, flat_fee)| Tier {
            up_to: Some(end),
            unit_price,
            flat_fee,
        });
        inner
            .chain([Tier {
                up_to: None,
                unit_price,
                flat_fee,
            }])
            .collect::<Vec<_>>()
    });
    let tiers = tiers.boxed();
    prop_oneof![
        any_price().prop_map(|unit_price| ChargeModel::Standard { unit_price }),
        tiers
            .clone()
            .prop_map(|tiers| ChargeModel::Graduated { tiers }),
        tiers.prop_map(|tiers| ChargeModel::Volume { tiers }),
        (
            any_price(),
            any_price().prop_filter("of some size", |size| *size > PlanDecimal::zero()),
            any_price()
        )
            .prop_map(|(free_units, size, price)| ChargeModel::Package {
                free_units,
                size,
                price
            }),
    ]
}

/// A catalogue with one plan that prices a meter of each aggregation by one of the models.
fn priced(models: &[ChargeModel], fixed_fee: PlanDecimal) -> Catalogue {
    let mut catalogue = Catalogue::bundled().unwrap();
    let meters: Vec<MeterCode> = catalogue
        .meters
        .iter()
        .map(|meter| meter.code.clone())
        .collect();
    let charges = meters.into_iter().zip(models.iter().cycle());
    catalogue.plans.truncate(1);
    catalogue.plans[0].fixed_fee = fixed_fee;
    catalogue.plans[0].charges = charges
        .map(|(meter, model)| Charge {
            meter,
            model: model.clone(),
        })
        .collect();
    catalogue
}

fn bill(
    catalogue: &Catalogue,
    n: u8,
    month: &str,
    windows: &[UsageWindow],
    earlier: &[PriorInvoice],
) -> Draft {
    let plan = catalogue.plans[0].code.clone();
    plan_invoice(Billing {
        catalogue,
        tenant: tenant(n),
        period: period(month),
        billability: Billability::InUse(&plan),
        usage: &total_usage(catalogue, windows).unwrap(),
        earlier,
        missing_reports: 0,
    })
    .unwrap()
}

fn issue(draft: Draft, run: Run) -> Issue {
    let number = InvoiceNumber {
        legal_entity: "meridian".parse().unwrap(),
        number: run.done + 1,
    };
    decide_issue(
        draft,
        run,
        number,
        DisclosureThreshold {
            mode: Mode::Sovereign,
            tenants_min: 1,
        },
    )
}

/// The bound of an item in the table.
const ITEM_BYTES_MAX: usize = 400 * 1_024;

/// Checks that a value is decoded as it was encoded, and fits an item of the table.
fn stored<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
) {
    let text = serde_json::to_string(value).unwrap();
    assert!(text.len() < ITEM_BYTES_MAX, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value);
}

fn any_windows() -> impl Strategy<Value = Vec<UsageWindow>> {
    let meters: Vec<String> = Catalogue::bundled()
        .unwrap()
        .meters
        .iter()
        .map(|meter| meter.code.as_str().to_owned())
        .collect();
    let row = (
        prop::sample::select(meters),
        1_u8..31,
        any_total(),
        -5_i64..1_000,
    );
    prop::collection::vec(row, 0..24).prop_map(|rows| {
        let window = |(meter, day, value, events): (String, u8, Quantity, i64)| {
            let window = window(&meter, day, &value.to_string(), events);
            let size = if meter == "active-users" {
                WindowSize::Month
            } else {
                WindowSize::Day
            };
            UsageWindow { size, ..window }
        };
        rows.into_iter().map(window).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_usage_at_any_price_is_invoiced(
        models in prop::collection::vec(any_wide_model(), 1..5),
        fixed_fee in any_price(),
        (first, late, others) in (any_windows(), any_windows(), prop::collection::vec(any_windows(), 0..4)),
    ) {
        let catalogue = priced(&models, fixed_fee);
        let mut run = Run::new(period("2026-10"), moment("2026-11-01T02:00:00Z"), 1 + others.len() as u64);
        let mut sum = UnroundedAmount::zero();
        for (n, windows) in (1..).zip([&first].into_iter().chain(&others)) {
            let draft = bill(&catalogue, n, "2026-10", windows, &[]);
            // A tenant's invoice does not depend on the usage of others.
            let alone = Run::new(period("2026-10"), moment("2026-11-01T02:00:00Z"), 1);
            prop_assert_eq!(&issue(draft.clone(), alone).invoice.draft, &draft);
            sum = sum + &UnroundedAmount::from(&draft.total.amount);
            let issue = issue(draft, run);
            stored(&issue.invoice);
            stored(&issue.invoice.summary());
            stored(&issue.run);
            run = issue.run;
        }
        prop_assert!(run.completed);
        let tally = run.tallies.values().next().unwrap();
        prop_assert_eq!(UnroundedAmount::from(&tally.total.amount), sum);

        let invoice = issue(bill(&catalogue, 1, "2026-10", &first, &[]), Run::new(period("2026-10"), run.started_at, 1)).invoice;
        let earlier = [PriorInvoice::of(&catalogue, invoice, &[first, late].concat()).unwrap()];
        let november = bill(&catalogue, 1, "2026-11", &[], &earlier);
        stored(&november);
        let amounts: Vec<UnroundedAmount> = november.lines.iter().map(|line| UnroundedAmount::from(&line.amount.amount)).collect();
        prop_assert_eq!(amounts.iter().sum::<UnroundedAmount>(), UnroundedAmount::from(&november.total.amount));
    }
}

/// The widest amount of an invoice stays below the bounds of `kernel`, and leaves room for more
/// lines and invoices.
#[test]
fn the_widest_amount_is_far_from_the_bound() {
    let size = format!("0.{}1", "0".repeat(19));
    let model = ChargeModel::Package {
        free_units: PlanDecimal::zero(),
        size: number(&size),
        price: number(&"9".repeat(20)),
    };
    let catalogue = priced(&[model], number(&"9".repeat(20)));
    let windows: Vec<_> = (1..31)
        .map(|day| window("compute-seconds", day, &"9".repeat(57), i64::MAX / 31))
        .collect();
    let draft = bill(&catalogue, 1, "2026-10", &windows, &[]);
    // 30 x 10^57 units / 10^-20 x 10^20 has 99 digits. A line of 10^20 totals may have 119.
    let digits = draft
        .total
        .amount
        .to_string()
        .find('.')
        .unwrap_or(draft.total.amount.to_string().len());
    assert_eq!(digits, 99);
    stored(&draft);
    let run = Run::new(period("2026-10"), moment("2026-11-01T02:00:00Z"), 2);
    let mut run = issue(draft, run).run;
    // The fullest tally still takes an invoice, and its item has a few hundred bytes for each
    // currency.
    let tally = run.tallies.values_mut().next().unwrap();
    tally.total.amount = "9".repeat(159).parse().unwrap();
    let issue = issue(bill(&catalogue, 2, "2026-10", &windows, &[]), run);
    stored(&issue.run);
    assert!(serde_json::to_string(&issue.run).unwrap().len() < 600);
}
