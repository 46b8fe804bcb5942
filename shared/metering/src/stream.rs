//! Where the stream of a tenant's facts ends.

use crate::Checkpoint;
use contract::UsageStreamStated;
use kernel::TenantId;

/// States where the stream ends, under its next number, with the new checkpoint. Nothing where
/// nothing was ever stated, as of a tenant that was erased.
#[must_use]
pub fn state_end(
    checkpoint: &Checkpoint,
    tenant: TenantId,
) -> Option<(Checkpoint, UsageStreamStated)> {
    (checkpoint.sequence > 0).then(|| {
        let stated = UsageStreamStated {
            tenant,
            sealed_until: checkpoint.sealed_until,
        };
        (
            Checkpoint {
                generation: checkpoint.generation.next(),
                sequence: checkpoint.sequence + 1,
                ..checkpoint.clone()
            },
            stated,
        )
    })
}
