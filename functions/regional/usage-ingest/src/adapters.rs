//! The clients and the configuration of the function.

use crate::known::KnownTenants;
use catalogue::Catalogue;
use runtime::http::Tokens;
use usage_store::{SegmentWriter, UsageReader};

/// The function's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) tokens: Tokens,
    pub(crate) catalogue: Catalogue,
    pub(crate) tenants: KnownTenants,
    pub(crate) segment_writer: SegmentWriter,
    pub(crate) usage: UsageReader,
}
