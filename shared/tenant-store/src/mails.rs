//! The limit on mails to one address. All mails that somebody requests share this one count.

use crate::TenantStoreError;
use crate::clock::{HOUR_S, MARK_LENGTH, Taken, window_of};
use crate::read::TenantReader;
use crate::rows;
use dynamo::{AttributeValue, number, text};
use kernel::Timestamp;
use tenancy::{Asker, EmailAddress, KeyDigest, mailbox, share_of};

/// Counts the requested mails of each address, over all purposes and tenants.
#[derive(Debug, Clone)]
pub struct MailTally {
    reader: TenantReader,
    per_address: u64,
}

impl MailTally {
    /// Counts in a reader's table: `per_address` mails an hour, of which each requester has a
    /// share.
    #[must_use]
    pub const fn new(reader: TenantReader, per_address: u64) -> Self {
        Self {
            reader,
            per_address,
        }
    }

    /// Counts one more mail to an address, unless the address or this requester's share of it has
    /// reached its limit. A mark that was counted in the same hour is not counted again.
    ///
    /// One write, conditional on both counts: of two concurrent requests, only one can be the last.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn take(
        &self,
        to: &EmailAddress,
        asker: &Asker,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<Taken, TenantStoreError> {
        let (start, rest_s) = window_of(HOUR_S, now);
        let mark: String = mark.as_str().chars().take(MARK_LENGTH).collect();
        let share: String = asker.as_str().chars().take(MARK_LENGTH).collect();
        let change = "SET expires_at = :end ADD marks :mark, #share :mark";
        let condition = "contains(marks, :text) OR ((attribute_not_exists(marks) OR size(marks) < :most) \
                         AND (attribute_not_exists(#share) OR size(#share) < :own))";
        let count = self
            .reader
            .table
            .update(rows::limit_key(&mailbox(to), start), change)
            .when(condition)
            .name("#share", format!("by_{share}"))
            .value(":end", number(start + 2 * HOUR_S))
            .value(":mark", AttributeValue::Ss(vec![mark.clone()]))
            .value(":text", text(mark))
            .value(":most", number(self.per_address))
            .value(":own", number(share_of(self.per_address)));
        let is_counted = self.reader.send("count a mail", count).await?;
        Ok(if is_counted {
            Taken::Yes
        } else {
            Taken::NotBefore { wait_s: rest_s }
        })
    }
}
