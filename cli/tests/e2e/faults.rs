//! Faults that journeys set on the calls of a function.

use anyhow::{Context, Result};
use local_aws::{Action, Calls, Fault, Stack};

/// Runs something while a fault is set. Returns its result, and whether a call met the fault.
/// Faults of other journeys remain.
pub(crate) async fn under<T>(
    stack: &Stack,
    fault: &Fault,
    what: impl Future<Output = T>,
) -> Result<(T, bool)> {
    let control = stack.control();
    let id = control.add_fault(fault).await?;
    let done = what.await;
    let set = control.faults().await?;
    control.remove_fault(id).await?;
    let met = set.iter().any(|fault| fault.id == id && fault.met > 0);
    Ok((done, met))
}

/// A fault on the calls of one region's function.
pub(crate) fn fault_in(
    stack: &Stack,
    region: &str,
    function: &str,
    after: u64,
    action: Action,
    times: u64,
) -> Result<Fault> {
    let deployed = stack
        .deployment()
        .region(region)?
        .functions
        .get(function)
        .context("the function is deployed")?;
    let calls = Calls {
        region: Some(region.to_owned()),
        function: Some(deployed.clone()),
        ..Calls::default()
    };
    Ok(Fault {
        calls,
        after,
        times: Some(times),
        action,
    })
}
