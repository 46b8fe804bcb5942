use super::*;

/// Checks rows of units, the units of each step, and the exact amount.
fn check(model: &ChargeModel, rows: &[(&str, &[&str], &str)]) {
    for (units, steps, amount) in rows {
        let rated = rate_units(model, &exact(units)).unwrap();
        let shown: Vec<String> = rated
            .steps
            .iter()
            .map(|step| step.units().to_string())
            .collect();
        assert_eq!(shown, *steps, "{model:?} at {units}");
        assert_eq!(rated.amount, exact(amount), "{model:?} at {units}");
    }
}

#[test]
fn standard_prices_every_unit() {
    check(
        &ChargeModel::Standard {
            unit_price: number("0.0004"),
        },
        &[
            ("0", &["0"], "0"),
            ("2.5", &["2.5"], "0.001"),
            ("-3", &["0"], "0"),
        ],
    );
}

#[test]
fn graduated_prices_the_units_and_the_fee_of_each_entered_tier() {
    let tiers = vec![
        tier(Some("100"), "1", "5"),
        tier(Some("200"), "0.5", "3"),
        tier(None, "0.1", "2"),
    ];
    check(
        &ChargeModel::Graduated { tiers },
        &[
            ("0", &["0"], "5"),
            ("100", &["100"], "105"),
            ("100.5", &["100", "0.5"], "108.25"),
            ("200", &["100", "100"], "158"),
            ("201", &["100", "100", "1"], "160.1"),
        ],
    );
}

#[test]
fn volume_prices_all_units_by_the_tier_reached() {
    let tiers = vec![tier(Some("100"), "1", "5"), tier(None, "0.5", "3")];
    check(
        &ChargeModel::Volume { tiers },
        &[
            ("0", &["0"], "5"),
            ("100", &["100"], "105"),
            ("100.5", &["100.5"], "53.25"),
            ("200", &["200"], "103"),
        ],
    );
}

#[test]
fn packages_are_whole_and_after_the_free_units() {
    let model = |free: &str, size: &str| ChargeModel::Package {
        free_units: number(free),
        size: number(size),
        price: number("2"),
    };
    check(
        &model("10", "100"),
        &[
            ("0", &["0"], "0"),
            ("10", &["10"], "0"),
            ("10.01", &["10", "0.01"], "2"),
            ("110", &["10", "100"], "2"),
            ("111", &["10", "101"], "4"),
        ],
    );
    check(
        &model("0", "0.3"),
        &[("0.9", &["0.9"], "6"), ("0.91", &["0.91"], "8")],
    );
}

#[test]
fn an_inconsistent_charge_is_refused() {
    let rows = [
        (vec![], RatingRefusal::NoTiers),
        (
            vec![tier(Some("1"), "1", "0")],
            RatingRefusal::UnitsWithoutPrice,
        ),
        (
            vec![tier(None, "1", "0"), tier(None, "1", "0")],
            RatingRefusal::UnitsWithoutPrice,
        ),
        (
            vec![tier(Some("0"), "1", "0"), tier(None, "1", "0")],
            RatingRefusal::TiersDoNotRise,
        ),
        (
            vec![
                tier(Some("2"), "1", "0"),
                tier(Some("2"), "1", "0"),
                tier(None, "1", "0"),
            ],
            RatingRefusal::TiersDoNotRise,
        ),
    ];
    for (tiers, refusal) in rows {
        for model in [
            ChargeModel::Graduated {
                tiers: tiers.clone(),
            },
            ChargeModel::Volume {
                tiers: tiers.clone(),
            },
        ] {
            assert_eq!(rate_units(&model, &exact("1")), Err(refusal), "{model:?}");
        }
    }
    let size = PlanDecimal::zero();
    let package = ChargeModel::Package {
        free_units: PlanDecimal::zero(),
        size,
        price: number("1"),
    };
    assert_eq!(
        rate_units(&package, &exact("1")),
        Err(RatingRefusal::EmptyPackage)
    );
}

#[test]
fn every_charge_of_the_bundled_catalogue_can_be_rated() {
    for plan in Catalogue::bundled().unwrap().plans {
        for charge in plan.charges {
            rate_units(&charge.model, &exact("1234567.89")).unwrap();
        }
    }
}

#[test]
fn a_product_of_long_numbers_is_exact_until_it_is_rounded() {
    let units = exact("12345678901234567890.123456789012345678");
    let model = ChargeModel::Standard {
        unit_price: number("1.00000000000000000001"),
    };
    let rated = rate_units(&model, &units).unwrap();
    assert_eq!(
        rated.amount,
        exact("12345678901234567890.24691357802469135690123456789012345678")
    );
    assert_eq!(
        rated.amount.rounded("EUR".parse().unwrap()).to_string(),
        "12345678901234567890.25 EUR"
    );
}

proptest! {
    #[test]
    fn the_steps_add_up_to_the_amount_and_cover_the_units(model in any_model(), units in any_quantity()) {
        let units = UnroundedAmount::from(&units);
        let rated = rate_units(&model, &units).unwrap();
        let amounts: Vec<UnroundedAmount> = rated.steps.iter().map(Step::amount).collect();
        prop_assert_eq!(amounts.iter().sum::<UnroundedAmount>(), rated.amount);
        let covered: UnroundedAmount = rated.steps.iter().map(Step::units).sum();
        prop_assert_eq!(covered, units);
    }

    #[test]
    fn graduated_with_one_tier_is_standard(unit_price in any_number(), units in any_quantity()) {
        let units = UnroundedAmount::from(&units);
        let tiers = vec![Tier { up_to: None, unit_price: unit_price.clone(), flat_fee: PlanDecimal::zero() }];
        let graduated = rate_units(&ChargeModel::Graduated { tiers }, &units).unwrap();
        prop_assert_eq!(graduated, rate_units(&ChargeModel::Standard { unit_price }, &units).unwrap());
    }

    #[test]
    fn more_units_never_cost_less_except_by_volume(model in any_model(), less in any_quantity(), more in any_quantity()) {
        prop_assume!(!matches!(model, ChargeModel::Volume { .. }));
        let (less, more) = (UnroundedAmount::from(&less), UnroundedAmount::from(&more));
        let (less, more) = if less <= more { (less, more) } else { (more, less) };
        prop_assert!(rate_units(&model, &less).unwrap().amount <= rate_units(&model, &more).unwrap().amount);
    }

    #[test]
    fn an_exact_decimal_is_parsed_as_it_was_written(amount in any_quantity(), factor in any_quantity()) {
        let product = &UnroundedAmount::from(&amount) * &UnroundedAmount::from(&factor);
        let text = serde_json::to_string(&product).unwrap();
        prop_assert_eq!(serde_json::from_str::<UnroundedAmount>(&text).unwrap(), product);
    }
}

#[test]
fn an_exact_amount_is_shown_in_plain_notation() {
    let amount: UnroundedAmount =
        "-0.000000000000000000000000000000000000000000000000000000000000000000000015"
            .parse()
            .unwrap();
    assert_eq!(format!("{amount:?}"), format!("UnroundedAmount({amount})"));
    assert!(!amount.to_string().contains(['e', 'E']));
}
