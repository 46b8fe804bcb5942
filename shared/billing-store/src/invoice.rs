//! Reading invoices, singly and in lists.

use crate::BillingStore;
use crate::error::StoreError;
use crate::item::{
    DOCUMENT, INVOICE_PREFIX, from_item, invoice_id_key, invoice_key, period_partition, summary_key,
};
use billing::{Invoice, InvoiceNumber, InvoiceRequest, InvoiceSummary, LOOK_BACK_PERIODS};
use contract::UsageWindow;
use dynamo::{Attributes as _, Item, text};
use kernel::{BillingPeriod, InvoiceId, TenantId};

/// A page of a period's invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePage {
    /// The invoices, in the order of their numbers.
    pub invoices: Vec<InvoiceSummary>,
    /// The last number of the page, or nothing on the last page.
    pub next: Option<InvoiceNumber>,
}

impl BillingStore {
    /// Loads a tenant's invoice for a period.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_invoice(
        &self,
        tenant: TenantId,
        period: BillingPeriod,
    ) -> Result<Option<Invoice>, StoreError> {
        let found = self.get("an invoice", invoice_key(tenant, period)).await?;
        found.as_ref().map(invoice_of).transpose()
    }

    /// Loads the tenant's invoices for the [`LOOK_BACK_PERIODS`] before a period, each with the
    /// current windows of its own period.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_prior_invoices(
        &self,
        tenant: TenantId,
        period: BillingPeriod,
    ) -> Result<Vec<(Invoice, Vec<UsageWindow>)>, StoreError> {
        let mut earlier = Vec::with_capacity(LOOK_BACK_PERIODS);
        let mut before = period;
        for _ in 0..LOOK_BACK_PERIODS {
            before = before.previous();
            if let Some(invoice) = self.load_invoice(tenant, before).await? {
                earlier.push((invoice, self.load_windows(tenant, before).await?));
            }
        }
        Ok(earlier)
    }

    /// Loads the invoice with an id.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_invoice_by_id(&self, id: InvoiceId) -> Result<Option<Invoice>, StoreError> {
        let what = "an invoice's id";
        let Some(item) = self.get(what, invoice_id_key(id)).await? else {
            return Ok(None);
        };
        let InvoiceRequest { tenant, period } = from_item(what, strip(item))?;
        self.load_invoice(tenant, period).await
    }

    /// Loads a page of a period's invoices after a number.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub async fn load_invoices(
        &self,
        period: BillingPeriod,
        after: Option<&InvoiceNumber>,
        limit: u16,
    ) -> Result<InvoicePage, StoreError> {
        let what = "a period's invoices";
        let after = after.map(|after| summary_key(period, &after.legal_entity, after.number));
        let query = self
            .table
            .query(period_partition(period))
            .beginning_with(INVOICE_PREFIX)
            .consistent();
        let page = query
            .after(after)
            .limit(limit)
            .page()
            .await
            .map_err(StoreError::read(what))?;
        let more = page.next.is_some();
        let items = page.items.into_iter();
        let invoices: Vec<InvoiceSummary> = items
            .map(|item| from_item(what, item))
            .collect::<Result<_, StoreError>>()?;
        let next = invoices
            .last()
            .filter(|_| more)
            .map(|invoice| invoice.number.clone());
        Ok(InvoicePage { invoices, next })
    }
}

/// Decodes the invoice of an item.
pub(crate) fn invoice_of(item: &Item) -> Result<Invoice, StoreError> {
    let what = "an invoice";
    let document = item.text(DOCUMENT);
    let document = document
        .ok_or("the document is missing")
        .map_err(StoreError::malformed(what))?;
    serde_json::from_str(document).map_err(StoreError::malformed(what))
}

/// Encodes an invoice as an item.
pub(crate) fn invoice_item(invoice: &Invoice) -> Result<Item, StoreError> {
    let document = serde_json::to_string(invoice).map_err(StoreError::malformed("an invoice"))?;
    let mut item = invoice_key(invoice.draft.tenant, invoice.draft.period);
    item.insert(DOCUMENT.to_owned(), text(document));
    Ok(item)
}

/// Removes the key attributes, for a type that refuses unknown ones.
fn strip(mut item: Item) -> Item {
    item.remove("pk");
    item.remove("sk");
    item
}
