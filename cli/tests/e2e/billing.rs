//! Billing bills every tenant once, however often it is killed.

use crate::books::customer;
use crate::kills::fault;
use crate::quiet::quiet;
use anyhow::{Context, Result, ensure};
use jiff::ToSpan as _;
use journey::journey;
use kernel::BillingPeriod;
use local_aws::{Action, Stack};
use meridian::client::operator::{Operator, scheduled_event};
use std::collections::BTreeSet;
use std::time::Duration;

const REGION: &str = "eu-central-1";
/// Longer than a busy machine needs for the invoices of all tenants that the journeys have made,
/// those of killed functions included.
pub(crate) const COMPLETE_MAX: Duration = Duration::from_secs(300);

/// The billing run and the invoicing are killed between their calls, and the same schedule event
/// starts them again. In the end each tenant has one invoice, and the invoice numbers have no gap.
#[journey(alone = "kills functions, and bills all tenants")]
async fn a_killed_billing_run_bills_each_tenant_once(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    for region in [REGION, REGION, REGION, &home, &home] {
        customer(stack, region).await?;
    }
    quiet(stack).await?;
    let period = BillingPeriod::containing(meridian::now());
    let event = scheduled_event(period.end() + 14.hours());
    // Fewer kills than the queue's attempts: a message that fails too often ends in the dead-letter
    // queue.
    for (after, action) in [
        (0, Action::KillAfter),
        (3, Action::Kill),
        (9, Action::KillAfter),
    ] {
        stack
            .control()
            .add_fault(&fault(stack, "billing-invoice", after, action, 1)?)
            .await?;
    }
    for (after, action) in [(1, Action::KillAfter), (2, Action::Kill)] {
        stack
            .control()
            .add_fault(&fault(stack, "billing-run", after, action, 1)?)
            .await?;
        let killed = stack.invoke(&home, "billing-run", &event).await;
        ensure!(killed.is_err(), "billing-run was not killed");
    }
    stack
        .invoke(&home, "billing-run", &event)
        .await
        .context("the last run")?;

    let operator = Operator::connect(stack.deployment().region(&home)?).await?;
    operator.wait_for_run(period, COMPLETE_MAX).await?;
    let met: u64 = stack
        .control()
        .faults()
        .await?
        .iter()
        .map(|fault| fault.met)
        .sum();
    ensure!(met >= 5, "only {met} kills happened");
    let invoices = operator.invoices(period).await?;
    let tenants: BTreeSet<_> = invoices
        .iter()
        .map(|invoice| invoice.draft.tenant)
        .collect();
    ensure!(
        invoices.len() >= 5 && tenants.len() == invoices.len(),
        "{} invoices",
        invoices.len()
    );
    let numbers: Vec<u64> = invoices
        .iter()
        .map(|invoice| invoice.number.number)
        .collect();
    ensure!(
        numbers == (1..=invoices.len() as u64).collect::<Vec<_>>(),
        "numbers with a gap: {numbers:?}"
    );
    Ok(())
}
