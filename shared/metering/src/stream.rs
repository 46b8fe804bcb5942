//! Where the stream of a tenant's facts ends.

use crate::Head;
use contract::UsageStreamStated;
use kernel::TenantId;

/// States where the stream ends, under its next number, with the new head. Nothing where nothing was ever stated, as of a
/// tenant that was erased.
#[must_use]
pub fn state_end(head: &Head, tenant: TenantId) -> Option<(Head, UsageStreamStated)> {
    (head.sequence > 0).then(|| {
        let stated = UsageStreamStated { tenant, sealed_until: head.sealed_until };
        (Head { version: head.version + 1, sequence: head.sequence + 1, ..head.clone() }, stated)
    })
}
