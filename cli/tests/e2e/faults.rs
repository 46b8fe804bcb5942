//! Faults that journeys set: which calls of which function meet what.

use anyhow::{Context, Result};
use local_aws::{Action, Calls, Fault, Stack};

/// Does something while a fault is set, and says whether a call met it. Faults of other journeys are
/// left alone.
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

/// A fault of one region's function.
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
