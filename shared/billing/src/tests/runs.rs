use super::*;
use kernel::Mode;

const SOVEREIGN: DisclosureThreshold = DisclosureThreshold {
    mode: Mode::Sovereign,
    tenants_min: 3,
};

fn draft(n: u8, total: &str, currency: &str) -> Draft {
    Draft {
        tenant: tenant(n),
        period: period("2026-10"),
        plan: "pro".parse().unwrap(),
        catalogue_version: 1,
        lines: vec![],
        total: money(total, currency),
        events: 10,
        missing_reports: 0,
    }
}

/// Issues invoices to the end of a run, and returns the totals that the region published with each.
fn issue_all(
    expected: u64,
    invoices: &[(&str, &str)],
    disclosure: DisclosureThreshold,
) -> (Run, Vec<Option<String>>) {
    let mut run = Run::new(period("2026-10"), moment("2026-11-01T02:00:00Z"), expected);
    let mut published = vec![];
    for (n, (total, currency)) in (1..).zip(invoices) {
        let number = InvoiceNumber {
            legal_entity: "meridian".parse().unwrap(),
            number: u64::from(n),
        };
        let issue = decide_issue(draft(n, total, currency), run, number, disclosure);
        assert_eq!(issue.invoice.issued_at, moment("2026-11-01T02:00:00Z"));
        run = issue.run;
        published.push(issue.totals_event.map(|totals_event| {
            let totals: Vec<String> = totals_event
                .totals
                .iter()
                .map(ToString::to_string)
                .collect();
            format!(
                "{} invoices, {} events, {}",
                totals_event.invoices,
                totals_event.events,
                totals.join(" + ")
            )
        }));
    }
    (run, published)
}

fn check(invoices: &[(&str, &str)], disclosure: DisclosureThreshold, last: Option<&str>) {
    let (run, published) = issue_all(invoices.len() as u64, invoices, disclosure);
    let (end, before) = published.split_last().unwrap();
    assert!(before.iter().all(Option::is_none), "{before:?}");
    assert_eq!(end.as_deref(), last);
    assert!(run.completed && run.is_complete());
}

#[test]
fn the_last_invoice_publishes_totals_of_enough_tenants() {
    let three = [("1.10", "USD"), ("2.20", "USD"), ("3.30", "USD")];
    check(&three, SOVEREIGN, Some("3 invoices, 30 events, 6.60 USD"));
    check(
        &three,
        DisclosureThreshold {
            mode: Mode::Regional,
            ..SOVEREIGN
        },
        None,
    );
    check(
        &three,
        DisclosureThreshold {
            tenants_min: 4,
            ..SOVEREIGN
        },
        None,
    );
    let four = [three.as_slice(), &[("9", "INR")]].concat();
    check(&four, SOVEREIGN, Some("3 invoices, 30 events, 6.60 USD"));
    let six = [
        three.as_slice(),
        &[("9", "INR"), ("1", "INR"), ("2", "INR")],
    ]
    .concat();
    check(
        &six,
        SOVEREIGN,
        Some("6 invoices, 60 events, 12.00 INR + 6.60 USD"),
    );
}

#[test]
fn a_run_publishes_its_totals_once() {
    let three = [("1.10", "USD"), ("2.20", "USD"), ("3.30", "USD")];
    let (run, _) = issue_all(3, &three, SOVEREIGN);
    assert_eq!(decide_completion(&run, SOVEREIGN), None);
    let widened = Run { expected: 4, ..run };
    assert!(!widened.is_complete());
    let number = InvoiceNumber {
        legal_entity: "meridian".parse().unwrap(),
        number: 4,
    };
    let issue = decide_issue(draft(4, "5", "USD"), widened, number, SOVEREIGN);
    assert_eq!((issue.run.done, issue.totals_event), (4, None));
}

#[test]
fn a_run_that_shrank_to_the_issued_invoices_can_be_completed() {
    let (run, published) = issue_all(4, &[("1", "USD"), ("2", "USD"), ("3", "USD")], SOVEREIGN);
    assert!(published.iter().all(Option::is_none) && !run.completed);
    let completion = decide_completion(&Run { expected: 3, ..run }, SOVEREIGN).unwrap();
    assert!(completion.run.completed);
    assert_eq!(completion.totals_event.unwrap().totals, [money("6", "USD")]);
}

#[test]
fn a_run_is_decoded_as_it_was_encoded() {
    let (run, _) = issue_all(2, &[("1", "USD"), ("2", "INR")], SOVEREIGN);
    let text = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
}
