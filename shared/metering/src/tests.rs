mod corrections;
mod exactly_once;
mod indexes;
mod lookup;
mod memory;
mod reading;
mod reports;
mod rollups;
mod sealing;
mod segments;
mod streams;
mod totals;
mod traffic;
mod values;

use catalogue::Catalogue;
use jiff::Timestamp;
use kernel::TenantId;
use uuid::Uuid;

/// The gateway's time in every test.
const NOW: &str = "2026-11-15T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn catalogue() -> Catalogue {
    Catalogue::bundled().unwrap()
}

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}
