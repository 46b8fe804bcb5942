//! How many mails an address got at somebody's request: the one count of them all.

use crate::clock::{HOUR_S, MARK_LENGTH, Taken, window_of};
use crate::rows;
use crate::{TenantReader, TenantStoreError};
use dynamo::{AttributeValue, number, text};
use kernel::Timestamp;
use tenancy::{Asker, EmailAddress, KeyDigest, mailbox, share_of};

/// Counts the mails that addresses get at somebody's request, whatever they are for and whichever
/// tenant they are of.
#[derive(Debug, Clone)]
pub struct MailTally {
    reader: TenantReader,
    per_address: u64,
}

impl MailTally {
    /// Counts in a reader's table: so many an hour, of which everybody who asks has a share.
    #[must_use]
    pub const fn new(reader: TenantReader, per_address: u64) -> Self {
        Self {
            reader,
            per_address,
        }
    }

    /// Counts one more mail to an address on somebody's account, unless the address got as many as
    /// it gets, or as many as this one may ask for. A mail with a mark that was counted in the same
    /// hour is not counted again.
    ///
    /// One write, under a condition on both counts: two requests at once cannot both be the last.
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
