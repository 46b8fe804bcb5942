//! The end of a tenant's stream of bus events.

use crate::checkpoint::Checkpoint;
use contract::UsageStreamEndReported;
use kernel::TenantId;

/// Reports the end of the stream under its next number, with the new checkpoint. The ledger can
/// thus detect that the last events are missing. Returns nothing if nothing was ever published, as
/// for an erased tenant.
#[must_use]
pub fn report_end(
    checkpoint: &Checkpoint,
    tenant: TenantId,
) -> Option<(Checkpoint, UsageStreamEndReported)> {
    (checkpoint.sequence > 0).then(|| {
        let published = UsageStreamEndReported {
            tenant,
            sealed_until: checkpoint.sealed_until,
        };
        (
            Checkpoint {
                generation: checkpoint.generation.next(),
                sequence: checkpoint.sequence + 1,
                ..checkpoint.clone()
            },
            published,
        )
    })
}
