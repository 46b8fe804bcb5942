//! Vouchers: proof that Meridian itself has just requested an account from the identity provider.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::rows;
use crate::write::TenantStore;
use dynamo::{Attributes as _, number};
use kernel::Timestamp;
use tenancy::{Username, VOUCHER_VALID, Voucher};

impl TenantStore {
    /// Vouches for an account for [`VOUCHER_VALID`]. A user may have several vouchers, so that
    /// concurrent requests do not revoke each other's.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn vouch(
        &self,
        username: Username,
        voucher: &Voucher,
        now: Timestamp,
    ) -> Result<(), TenantStoreError> {
        let mut item = rows::voucher_key(username, voucher);
        item.insert(
            "expires_at".to_owned(),
            number(now.as_second() + VOUCHER_VALID.as_secs()),
        );
        self.reader
            .send("vouch for an account", self.put(item))
            .await
            .map(|_| ())
    }
}

impl TenantReader {
    /// Whether this voucher for the account is valid.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn is_vouched(
        &self,
        username: Username,
        voucher: &Voucher,
        now: Timestamp,
    ) -> Result<bool, TenantStoreError> {
        let item = self
            .get_all("load a voucher", rows::voucher_key(username, voucher))
            .await?;
        // DynamoDB deletes expired items only within days.
        let expires_at = item.and_then(|item| item.number::<i64>("expires_at"));
        Ok(expires_at.is_some_and(|second| now.as_second() < second))
    }
}
