//! How many mails an address got at somebody's request: the one count of them all.

use super::clock::{HOUR_S, MARK_LENGTH, Taken, window_of};
use super::rows::{self, number, text};
use super::{TenantReader, TenantStoreError};
use aws_sdk_dynamodb::types::AttributeValue;
use kernel::Timestamp;
use tenancy::{Asker, EmailAddress, KeyDigest, mailbox, share_of};

/// Counts the mails that addresses get at somebody's request, whatever they are for and whichever tenant they are of.
#[derive(Debug, Clone)]
pub struct MailTally {
    reader: TenantReader,
    per_address: u64,
}

impl MailTally {
    /// Counts in a reader's table: so many an hour, of which everybody who asks has a share.
    #[must_use]
    pub const fn new(reader: TenantReader, per_address: u64) -> Self {
        Self { reader, per_address }
    }

    /// Counts one more mail to an address on somebody's account, unless the address got as many as it gets, or as many as
    /// this one may ask for. A mail with a mark that was counted in the same hour is not counted again.
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
        let counted = self
            .reader
            .client
            .update_item()
            .table_name(&self.reader.table)
            .set_key(Some(rows::limit_key(&mailbox(to), start)))
            .update_expression("SET expires_at = :end ADD marks :mark, #share :mark")
            .condition_expression(
                "contains(marks, :text) OR ((attribute_not_exists(marks) OR size(marks) < :most) \
                 AND (attribute_not_exists(#share) OR size(#share) < :own))",
            )
            .expression_attribute_names("#share", format!("by_{share}"))
            .expression_attribute_values(":end", number(start + 2 * HOUR_S))
            .expression_attribute_values(":mark", AttributeValue::Ss(vec![mark.clone()]))
            .expression_attribute_values(":text", text(mark))
            .expression_attribute_values(":most", number(self.per_address))
            .expression_attribute_values(":own", number(share_of(self.per_address)))
            .send()
            .await;
        match counted {
            Ok(_) => Ok(Taken::Yes),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(Taken::NotBefore { wait_s: rest_s })
            }
            Err(error) => Err(TenantStoreError::of("count a mail", error)),
        }
    }
}
