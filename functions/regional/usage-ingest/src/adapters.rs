//! The clients and the configuration of the function.

use crate::known::KnownTenants;
use catalogue::Catalogue;
use runtime::http::Tokens;
use usage_store::{SegmentWriter, UsageReader};

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) tokens: Tokens,
    pub(crate) catalogue: Catalogue,
    pub(crate) tenants: KnownTenants,
    pub(crate) segment_writer: SegmentWriter,
    pub(crate) usage: UsageReader,
}
