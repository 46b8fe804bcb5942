//! Where the stream of a tenant's bus events ends.

use crate::Checkpoint;
use contract::UsageStreamEndReported;
use kernel::TenantId;

/// Publishes where the stream ends, under its next number, with the new checkpoint. Nothing where
/// nothing was ever published, as of a tenant that was erased.
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
