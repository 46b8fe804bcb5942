//! Claims to subdomains: each with what every region said last of it, and the answer in the same
//! transaction.

use crate::item::{from_item, last_word_key, reservation_key, to_item};
use crate::{CentralStore, StoreError, UpdateError};
use dynamo::{Attempts, CONTENTION, Write, number};
use fleet::{LAST_WORD_KEPT, LastWord, Refusal, ReservationChanges, SubdomainReservation, Tenant};
use kernel::{SubdomainDigest, TenantId, Timestamp};
use outbox::{Outbox, Row, Target};

const EXPIRES_AT: &str = "expires_at";
/// How long the record of a subdomain is kept that is free: the table's own clock removes it.
const MOOT_KEPT_S: i64 = 86_400;

/// What a decision on a reservation reads.
struct Known {
    tenant: Option<Tenant>,
    reservation: Option<SubdomainReservation>,
    last: Option<LastWord>,
}

impl CentralStore {
    /// The reservation to a subdomain, by the tenant that has it or had it last.
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

    /// Decides on a tenant's reservation as `decide` says, and writes what it is from now on together
    /// with the answer. Decides anew when somebody else was faster.
    ///
    /// Returns whether there is an answer.
    ///
    /// # Errors
    /// When `decide` refuses, or the table does not do it.
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
            Option<&LastWord>,
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
            let Some(outcome) = decided.map_err(UpdateError::Refused)? else {
                return Ok(false);
            };
            let writes = self
                .reservation_writes(outbox, digest, tenant, &known, &outcome)
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

    /// The writes are guarded one by one, so that these need not be of one moment.
    async fn load_known(
        &self,
        digest: &SubdomainDigest,
        tenant: TenantId,
    ) -> Result<Known, StoreError> {
        let what = "a last word";
        let last = self.load_item(what, last_word_key(digest, tenant)).await?;
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
        outcome: &ReservationChanges,
    ) -> Result<Vec<Write>, StoreError> {
        let what = "a reservation";
        let row = Row::new(Target::Home, &outcome.answer).map_err(StoreError::malformed(what))?;
        let mut writes = vec![
            self.word_write(digest, tenant, known.last.as_ref(), &outcome.word)?,
            outbox.put(&row),
        ];
        if let Some(after) = &outcome.reservation {
            let mut item = to_item(what, reservation_key(digest), after)?;
            if let Some(moot_at) = after.is_moot_at() {
                item.insert(
                    EXPIRES_AT.to_owned(),
                    number(moot_at.as_second() + MOOT_KEPT_S),
                );
            }
            let read = known.reservation.as_ref().map(|before| before.generation);
            writes.push(self.table.put(item).if_generation(read.unwrap_or_default()));
        }
        Ok(writes)
    }

    fn word_write(
        &self,
        digest: &SubdomainDigest,
        tenant: TenantId,
        before: Option<&LastWord>,
        after: &LastWord,
    ) -> Result<Write, StoreError> {
        let mut item = to_item("a last word", last_word_key(digest, tenant), after)?;
        let end = after
            .heard_at
            .saturating_add(LAST_WORD_KEPT)
            .unwrap_or(Timestamp::MAX);
        item.insert(EXPIRES_AT.to_owned(), number(end.as_second()));
        Ok(self.guarded_put(
            item,
            before.map(|before| ("revision = :revision", before.revision)),
        ))
    }
}
