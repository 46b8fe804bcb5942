//! Reservations of subdomains. Each change stores the region's report and home's answer in the same
//! transaction.

use crate::CentralStore;
use crate::error::{StoreError, UpdateError};
use crate::item::{from_item, last_report_key, reservation_key, to_item};
use dynamo::{Attempts, CONTENTION, Write, number};
use fleet::{
    LAST_REPORT_RETENTION, LastReport, Refusal, ReservationChanges, SubdomainReservation, Tenant,
};
use kernel::{SubdomainDigest, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};

const EXPIRES_AT: &str = "expires_at";
/// How long the record of a free subdomain is stored. DynamoDB's TTL removes it afterwards.
const FREE_RETENTION_S: i64 = 86_400;

/// The records that a decision on a reservation reads.
struct Known {
    tenant: Option<Tenant>,
    reservation: Option<SubdomainReservation>,
    last: Option<LastReport>,
}

impl CentralStore {
    /// Loads the reservation of a subdomain, by the tenant that has it or had it last.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_reservation(
        &self,
        digest: &SubdomainDigest,
    ) -> Result<Option<SubdomainReservation>, StoreError> {
        let what = "a reservation";
        self.load_item(what, reservation_key(digest))
            .await?
            .map(|item| from_item(what, item))
            .transpose()
    }

    /// Updates a tenant's reservation by `decide`, and stores the answer with it. Repeats the
    /// decision if another writer was faster.
    ///
    /// Returns whether there is an answer to send.
    ///
    /// # Errors
    /// When `decide` refuses, or the table cannot be read or written.
    pub async fn update_reservation<D>(
        &self,
        outbox: &Outbox,
        digest: &SubdomainDigest,
        tenant: TenantId,
        decide: D,
    ) -> Result<bool, UpdateError>
    where
        D: Fn(
            Option<&Tenant>,
            Option<&SubdomainReservation>,
            Option<&LastReport>,
        ) -> Result<Option<ReservationChanges>, Refusal>,
    {
        let mut attempts = Attempts::of(CONTENTION);
        loop {
            let known = self
                .load_known(digest, tenant)
                .await
                .map_err(UpdateError::Store)?;
            let decided = decide(
                known.tenant.as_ref(),
                known.reservation.as_ref(),
                known.last.as_ref(),
            );
            let Some(changes) = decided.map_err(UpdateError::Refused)? else {
                return Ok(false);
            };
            let writes = self
                .reservation_writes(outbox, digest, tenant, &known, &changes)
                .map_err(UpdateError::Store)?;
            match self.table.transact(writes).await {
                Ok(()) => return Ok(true),
                Err(error) => attempts
                    .again(error)
                    .await
                    .map_err(UpdateError::write("a reservation"))?,
            }
        }
    }

    /// The records may come from different times, since each write has its own guard.
    async fn load_known(
        &self,
        digest: &SubdomainDigest,
        tenant: TenantId,
    ) -> Result<Known, StoreError> {
        let what = "a last report";
        let last = self
            .load_item(what, last_report_key(digest, tenant))
            .await?;
        Ok(Known {
            tenant: self.load_tenant(tenant).await?,
            reservation: self.load_reservation(digest).await?,
            last: last.map(|item| from_item(what, item)).transpose()?,
        })
    }

    fn reservation_writes(
        &self,
        outbox: &Outbox,
        digest: &SubdomainDigest,
        tenant: TenantId,
        known: &Known,
        changes: &ReservationChanges,
    ) -> Result<Vec<Write>, StoreError> {
        let what = "a reservation";
        let row = Row::new(Target::Home, &changes.answer).map_err(StoreError::malformed(what))?;
        let mut writes = vec![
            self.report_write(digest, tenant, known.last.as_ref(), &changes.report)?,
            outbox.put(&row),
        ];
        if let Some(after) = &changes.reservation {
            let mut item = to_item(what, reservation_key(digest), after)?;
            if let Some(free_at) = after.free_at() {
                item.insert(
                    EXPIRES_AT.to_owned(),
                    number(free_at.as_second() + FREE_RETENTION_S),
                );
            }
            let read = known.reservation.as_ref().map(|before| before.generation);
            writes.push(self.table.put(item).if_generation(read.unwrap_or_default()));
        }
        Ok(writes)
    }

    fn report_write(
        &self,
        digest: &SubdomainDigest,
        tenant: TenantId,
        before: Option<&LastReport>,
        after: &LastReport,
    ) -> Result<Write, StoreError> {
        let mut item = to_item("a last report", last_report_key(digest, tenant), after)?;
        let end = after
            .heard_at
            .saturating_add(LAST_REPORT_RETENTION)
            .unwrap_or(Timestamp::MAX);
        item.insert(EXPIRES_AT.to_owned(), number(end.as_second()));
        Ok(self.guarded_put(
            item,
            before.map(|before| ("revision = :revision", before.revision)),
        ))
    }
}
