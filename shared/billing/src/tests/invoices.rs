use super::*;

fn bill(
    month: &str,
    plan: &str,
    usage: &PeriodUsage,
    earlier: &[PriorInvoice],
) -> Result<Draft, InvoiceRefusal> {
    let plan = plan.parse().unwrap();
    bill_as(Billability::InUse(&plan), month, usage, earlier)
}

/// The invoice of a tenant that is not in use any more.
fn bill_left(month: &str, plan: &str, usage: &PeriodUsage, earlier: &[PriorInvoice]) -> Draft {
    let plan = plan.parse().unwrap();
    bill_as(Billability::Left(&plan), month, usage, earlier).unwrap()
}

fn bill_as(
    billability: Billability<'_>,
    month: &str,
    usage: &PeriodUsage,
    earlier: &[PriorInvoice],
) -> Result<Draft, InvoiceRefusal> {
    let catalogue = Catalogue::bundled().unwrap();
    plan_invoice(Billing {
        catalogue: &catalogue,
        tenant: tenant(1),
        period: period(month),
        billability,
        usage,
        earlier,
        missing_reports: 0,
    })
}

fn issued(draft: Draft) -> Invoice {
    Invoice {
        id: draft.id(),
        number: InvoiceNumber {
            legal_entity: "meridian".parse().unwrap(),
            number: 1,
        },
        state: InvoiceState::Issued,
        issued_at: moment("2026-11-01T02:00:00Z"),
        draft,
    }
}

fn total(windows: &[UsageWindow]) -> PeriodUsage {
    total_usage(&Catalogue::bundled().unwrap(), windows).unwrap()
}

fn used(meter: &str, quantity: &str, events: u64) -> PeriodUsage {
    [(
        meter.parse().unwrap(),
        MeterUsage {
            quantity: exact(quantity),
            events,
        },
    )]
    .into()
}

fn amounts(draft: &Draft) -> Vec<String> {
    draft
        .lines
        .iter()
        .map(|line| line.amount.to_string())
        .collect()
}

#[test]
fn an_invoice_has_the_fee_a_line_per_priced_meter_and_their_sum() {
    let usage = total(&[
        window("api-calls", 1, "1500", 1500),
        window("api-calls", 2, "1501", 1501),
        window("storage-gb", 1, "3", 4),
        window("storage-gb", 2, "2.5", 4),
        window("transfer-gb", 1, "0.055", 1),
    ]);
    let draft = bill("2026-10", "starter", &usage, &[]).unwrap();
    // 3001 calls are the free package and three more; 0.055 GB cost 0.00495.
    assert_eq!(
        amounts(&draft),
        ["19.00 USD", "1.50 USD", "0.30 USD", "0.00 USD", "0.00 USD"]
    );
    assert_eq!(draft.total, money("20.80", "USD"));
    assert_eq!(draft.events, 3010);
    assert_eq!(draft.id(), InvoiceId::of(tenant(1), period("2026-10")));
    assert_eq!(
        draft.catalogue_version,
        Catalogue::bundled().unwrap().version
    );
}

#[test]
fn a_meter_without_a_price_is_shown_and_costs_nothing() {
    let mut catalogue = Catalogue::bundled().unwrap();
    catalogue.plans[0].charges.truncate(1);
    let usage = used("storage-gb", "7", 3);
    let plan = "starter".parse().unwrap();
    let billing = Billing {
        catalogue: &catalogue,
        tenant: tenant(1),
        period: period("2026-10"),
        billability: Billability::InUse(&plan),
        usage: &usage,
        earlier: &[],
        missing_reports: 2,
    };
    let draft = plan_invoice(billing).unwrap();
    assert_eq!(amounts(&draft), ["19.00 USD", "0.00 USD", "0.00 USD"]);
    assert_eq!((draft.events, draft.missing_reports), (3, 2));
}

#[test]
fn a_plan_or_meter_outside_the_catalogue_is_refused() {
    let unknown = bill("2026-10", "gold", &PeriodUsage::new(), &[]).unwrap_err();
    assert_eq!(
        unknown,
        InvoiceRefusal::UnknownPlan {
            plan: "gold".parse().unwrap()
        }
    );
    let windows = [window("teleports", 1, "1", 1)];
    let refusal = InvoiceRefusal::UnknownMeter {
        meter: "teleports".parse().unwrap(),
    };
    assert_eq!(
        total_usage(&Catalogue::bundled().unwrap(), &windows).unwrap_err(),
        refusal
    );
    assert_eq!(
        bill("2026-10", "pro", &used("teleports", "1", 1), &[]).unwrap_err(),
        refusal
    );
}

#[test]
fn late_usage_is_adjusted_once() {
    let first = issued(bill("2026-08", "starter", &used("storage-gb", "10", 5), &[]).unwrap());
    let late = used("storage-gb", "12", 6);
    let earlier = |usage: &PeriodUsage| PriorInvoice {
        invoice: first.clone(),
        usage: usage.clone(),
    };

    let second =
        issued(bill("2026-09", "starter", &PeriodUsage::new(), &[earlier(&late)]).unwrap());
    let Item::Adjustment(adjustment) = &second.draft.lines.last().unwrap().item else {
        panic!("no adjustment")
    };
    assert_eq!(adjustment.adjusted_period, period("2026-08"));
    assert_eq!(
        (&adjustment.billed.quantity, &adjustment.now.quantity),
        (&exact("10"), &exact("12"))
    );
    assert_eq!(
        second.draft.lines.last().unwrap().amount,
        money("0.2", "USD")
    );
    assert_eq!(second.draft.events, 1);

    let september = PriorInvoice {
        invoice: second,
        usage: PeriodUsage::new(),
    };
    let third = bill(
        "2026-10",
        "starter",
        &PeriodUsage::new(),
        &[september.clone(), earlier(&late)],
    )
    .unwrap();
    assert_eq!(third.lines.len(), 5);
    assert_eq!(third.events, 0);

    let later = used("storage-gb", "12.5", 9);
    let third = bill(
        "2026-10",
        "pro",
        &PeriodUsage::new(),
        &[earlier(&later), september],
    )
    .unwrap();
    assert_eq!(third.lines.last().unwrap().amount, money("0.05", "USD"));
    assert_eq!(third.events, 3);
}

#[test]
fn a_tenant_that_left_pays_only_late_usage() {
    let last = issued(bill("2026-09", "starter", &used("storage-gb", "10", 5), &[]).unwrap());
    let check = |now: PeriodUsage, expected: &[&str], events: u64| {
        let earlier = [PriorInvoice {
            invoice: last.clone(),
            usage: now,
        }];
        let unbilled = used("api-calls", "5000", 9);
        let draft = bill_left("2026-10", "starter", &unbilled, &earlier);
        assert_eq!(
            (amounts(&draft), draft.events),
            (expected.iter().map(ToString::to_string).collect(), events)
        );
        assert_eq!(has_late_usage(&earlier), !expected.is_empty());
        assert_eq!(
            (draft.plan.as_str(), draft.total.currency),
            ("starter", last.draft.total.currency)
        );
    };
    check(used("storage-gb", "10", 5), &[], 0);
    check(used("storage-gb", "12", 6), &["0.20 USD"], 1);
    // The late event does not change the quantity, but is on an invoice all the same.
    check(used("storage-gb", "10", 6), &["0.00 USD"], 1);
    check(used("transfer-gb", "100", 2), &["9.00 USD"], 2);

    // An adjustment on an invoice without a fee is not billed again.
    let earlier = PriorInvoice {
        invoice: last.clone(),
        usage: used("storage-gb", "12", 6),
    };
    let october = bill_left(
        "2026-10",
        "starter",
        &PeriodUsage::new(),
        std::slice::from_ref(&earlier),
    );
    let october = PriorInvoice {
        invoice: issued(october),
        usage: PeriodUsage::new(),
    };
    assert!(!has_late_usage(&[october.clone(), earlier]));
    let later = PriorInvoice {
        invoice: last,
        usage: used("storage-gb", "13", 7),
    };
    let november = bill_left("2026-11", "starter", &PeriodUsage::new(), &[october, later]);
    assert_eq!(amounts(&november), ["0.10 USD"]);
}

/// Late usage shows by the quantity or by the number of events, whether the meter was on an invoice
/// or not.
#[test]
fn usage_that_differs_from_the_invoice_is_late() {
    let last = issued(bill("2026-09", "starter", &used("storage-gb", "10", 5), &[]).unwrap());
    let is_late = |usage: PeriodUsage| {
        has_late_usage(&[PriorInvoice {
            invoice: last.clone(),
            usage,
        }])
    };
    for (meter, quantity, events, expected) in [
        ("storage-gb", "10", 5, false),
        ("storage-gb", "10.00", 5, false),
        ("storage-gb", "10", 6, true),
        ("storage-gb", "10.01", 5, true),
        ("storage-gb", "0", 0, true),
        // The meter is on the invoice without usage, since the plan prices it.
        ("api-calls", "0", 0, false),
        ("api-calls", "0", 1, true),
        ("api-calls", "1", 0, true),
        // The meter is on no invoice.
        ("seats", "0", 0, false),
        ("seats", "0", 1, true),
        ("seats", "1", 0, true),
    ] {
        assert_eq!(
            is_late(used(meter, quantity, events)),
            expected,
            "{quantity} of {events} of {meter}"
        );
    }
    assert!(!is_late(PeriodUsage::new()) && !has_late_usage(&[]));
}

/// The billed amount of a period is the line of its own invoice or the newest adjustment of it,
/// whatever the order of the invoices.
#[test]
fn an_adjustment_of_one_period_does_not_affect_another() {
    let august = issued(bill("2026-08", "starter", &used("storage-gb", "10", 5), &[]).unwrap());
    let late = PriorInvoice {
        invoice: august.clone(),
        usage: used("storage-gb", "12", 6),
    };
    let own = used("storage-gb", "7", 2);
    let september = issued(bill("2026-09", "starter", &own, std::slice::from_ref(&late)).unwrap());
    assert_eq!(
        amounts(&september.draft),
        [
            "19.00 USD",
            "0.00 USD",
            "0.70 USD",
            "0.00 USD",
            "0.00 USD",
            "0.20 USD"
        ]
    );
    let mut known = vec![
        PriorInvoice {
            invoice: september,
            usage: own,
        },
        late,
    ];
    for _ in 0..2 {
        assert!(!has_late_usage(&known), "each usage is as billed");
        known.reverse();
    }
    known[1].usage = used("storage-gb", "13", 7);
    let october = bill("2026-10", "starter", &PeriodUsage::new(), &known).unwrap();
    assert_eq!(
        (amounts(&october).last().unwrap().as_str(), october.events),
        ("0.10 USD", 1)
    );
    let adjusted = october.lines.iter().filter_map(|line| match &line.item {
        Item::Adjustment(adjustment) => Some((
            adjustment.adjusted_period.to_string(),
            adjustment.billed.events,
        )),
        _ => None,
    });
    assert_eq!(adjusted.collect::<Vec<_>>(), [("2026-08".to_owned(), 6)]);
}

#[test]
fn a_meter_without_a_price_is_adjusted_by_zero() {
    let mut first = issued(bill("2026-09", "starter", &PeriodUsage::new(), &[]).unwrap());
    first.draft.lines.truncate(1);
    let earlier = [PriorInvoice {
        invoice: first,
        usage: used("storage-gb", "12", 6),
    }];
    let draft = bill("2026-10", "starter", &PeriodUsage::new(), &earlier).unwrap();
    assert_eq!(draft.lines.last().unwrap().amount, money("0", "USD"));
    assert_eq!(draft.events, 6);
}

#[test]
fn an_adjustment_in_another_currency_is_refused() {
    let first = issued(bill("2026-09", "pro-in", &PeriodUsage::new(), &[]).unwrap());
    let unchanged = [PriorInvoice {
        invoice: first.clone(),
        usage: PeriodUsage::new(),
    }];
    bill("2026-10", "pro", &PeriodUsage::new(), &unchanged).unwrap();
    let late = [PriorInvoice {
        invoice: first,
        usage: used("storage-gb", "1", 1),
    }];
    let refusal = bill("2026-10", "pro", &PeriodUsage::new(), &late).unwrap_err();
    let currency = "INR".parse().unwrap();
    assert_eq!(
        refusal,
        InvoiceRefusal::OtherCurrency {
            period: period("2026-09"),
            currency
        }
    );
}

#[test]
fn an_invoice_is_decoded_as_it_was_encoded() {
    let first = issued(bill("2026-09", "pro", &used("api-calls", "100001.5", 7), &[]).unwrap());
    let earlier = [PriorInvoice {
        invoice: first,
        usage: used("api-calls", "100002.5", 8),
    }];
    let invoice = issued(
        bill(
            "2026-10",
            "starter",
            &used("storage-gb", "0.001", 2),
            &earlier,
        )
        .unwrap(),
    );
    let text = serde_json::to_string(&invoice).unwrap();
    assert_eq!(serde_json::from_str::<Invoice>(&text).unwrap(), invoice);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["lines"][0]["kind"], "fixed_fee");
    assert_eq!(json["lines"][2]["kind"], "usage");
    assert_eq!(json["lines"][5]["kind"], "adjustment");
    assert_eq!(json["number"], 1);
}

fn any_windows() -> impl Strategy<Value = Vec<UsageWindow>> {
    let meter = prop::sample::select(vec![
        "api-calls",
        "storage-gb",
        "transfer-gb",
        "compute-seconds",
    ]);
    prop::collection::vec((meter, 1_u8..31, any_quantity(), 0_i64..1_000), 0..40).prop_map(|rows| {
        rows.into_iter()
            .map(|(meter, day, value, events)| window(meter, day, &value.to_string(), events))
            .collect()
    })
}

fn any_plan() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["starter", "pro", "pro-in"])
}

proptest! {
    #[test]
    fn the_total_is_the_sum_of_the_lines(windows in any_windows(), plan in any_plan()) {
        let draft = bill("2026-10", plan, &total(&windows), &[]).unwrap();
        let amounts: Vec<UnroundedAmount> = draft.lines.iter().map(|line| UnroundedAmount::from(&line.amount.amount)).collect();
        prop_assert_eq!(amounts.iter().sum::<UnroundedAmount>(), UnroundedAmount::from(&draft.total.amount));
        for line in &draft.lines {
            prop_assert_eq!(&line.amount, &UnroundedAmount::from(&line.amount.amount).rounded(line.amount.currency));
        }
        prop_assert_eq!(draft.events, windows.iter().map(|window| window.events).sum::<i64>().unsigned_abs());
    }

    #[test]
    fn the_order_of_windows_does_not_matter(
        (windows, shuffled) in any_windows().prop_flat_map(|w| (Just(w.clone()), Just(w).prop_shuffle())),
    ) {
        prop_assert_eq!(total(&windows), total(&shuffled));
    }

    #[test]
    fn splitting_usage_into_windows_does_not_change_it(parts in prop::collection::vec(any_quantity(), 1..20)) {
        let whole: UnroundedAmount = parts.iter().map(UnroundedAmount::from).collect::<Vec<_>>().iter().sum();
        let greatest = parts.iter().map(UnroundedAmount::from).max().unwrap();
        let split = |meter: &str| {
            let windows: Vec<_> = parts.iter().map(|part| window(meter, 1, &part.to_string(), 1)).collect();
            total(&windows)
        };
        prop_assert_eq!(split("transfer-gb"), used("transfer-gb", &whole.to_string(), parts.len() as u64));
        prop_assert_eq!(split("api-calls"), used("api-calls", &whole.to_string(), parts.len() as u64));
        prop_assert_eq!(split("storage-gb"), used("storage-gb", &greatest.to_string(), parts.len() as u64));
    }

    #[test]
    fn an_invoice_and_its_adjustments_add_up_to_the_invoice_of_all_usage(
        on_time in any_windows(), late in any_windows(), later in any_windows(), plan in any_plan(),
    ) {
        let known: Vec<_> = [on_time.clone(), late.clone()].concat();
        let all: Vec<_> = [known.clone(), later].concat();
        let august = issued(bill("2026-08", plan, &total(&on_time), &[]).unwrap());
        let earlier = |windows: &[UsageWindow]| PriorInvoice { invoice: august.clone(), usage: total(windows) };
        let september = issued(bill("2026-09", plan, &PeriodUsage::new(), &[earlier(&known)]).unwrap());
        let known = [earlier(&all), PriorInvoice { invoice: september.clone(), usage: PeriodUsage::new() }];
        let october = issued(bill("2026-10", plan, &PeriodUsage::new(), &known).unwrap());
        let everything = bill("2026-08", plan, &total(&all), &[]).unwrap();
        let idle = bill("2026-09", plan, &PeriodUsage::new(), &[]).unwrap();

        let sum = |drafts: &[&Draft]| drafts.iter().fold(UnroundedAmount::zero(), |sum, d| sum + &UnroundedAmount::from(&d.total.amount));
        let billed = sum(&[&august.draft, &september.draft, &october.draft]);
        prop_assert_eq!(billed, sum(&[&everything, &idle, &idle]));

        let left = bill_left("2026-10", plan, &PeriodUsage::new(), &known);
        prop_assert_eq!(sum(&[&august.draft, &september.draft, &left]), sum(&[&everything, &idle]));
        prop_assert_eq!(left.lines.is_empty(), !has_late_usage(&known));
        prop_assert_eq!(august.draft.events + september.draft.events + october.draft.events, everything.events);
    }
}
