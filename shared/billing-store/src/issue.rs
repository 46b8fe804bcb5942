//! Issuing invoices: invoice, number, list entry, run and totals event in one transaction.

use crate::BillingStore;
use crate::error::StoreError;
use crate::invoice::invoice_item;
use crate::item::{
    counter, invoice_id_key, invoice_key, number_key, run_key, summary_key, to_item,
    totals_number_key,
};
use crate::run::HeldRun;
use crate::run::held_run;
use billing::{Invoice, InvoiceNumber, InvoiceRequest, Issue, RunCompletion};
use dynamo::{Item, Write, has_key, number};
use kernel::{Generation, LegalEntity};

/// The attribute that holds and guards a counter.
const LAST: &str = "last";

/// The stored state that an invoice is issued on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueContext {
    /// Whether the tenant already has an invoice for the period.
    pub is_issued: bool,
    /// The period's run.
    pub run: Option<HeldRun>,
    legal_entity: LegalEntity,
    last_number: u64,
    last_totals_number: u64,
}

/// The result of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The transaction was committed.
    Done,
    /// Another writer changed an item that it depends on. Load the context again.
    Contended,
}

impl IssueContext {
    /// The number of the next invoice.
    #[must_use]
    pub fn next_number(&self) -> InvoiceNumber {
        InvoiceNumber {
            legal_entity: self.legal_entity.clone(),
            number: self.last_number + 1,
        }
    }

    /// The sequence number of the region's next totals event.
    #[must_use]
    pub const fn next_totals_number(&self) -> u64 {
        self.last_totals_number + 1
    }
}

impl BillingStore {
    /// Loads the context of a request. The items are not read in one transaction; the conditions of
    /// the write detect any change.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_issue_context(
        &self,
        request: InvoiceRequest,
        legal_entity: &LegalEntity,
    ) -> Result<IssueContext, StoreError> {
        let what = "invoice, run and counters";
        let keys = [
            invoice_key(request.tenant, request.period),
            run_key(request.period),
            number_key(legal_entity),
            totals_number_key(),
        ];
        let items = self
            .table
            .batch_get(keys.to_vec())
            .send()
            .await
            .map_err(StoreError::read(what))?;
        let [invoice, run, number, totals] =
            keys.map(|key| items.iter().find(|item| has_key(item, &key)));
        Ok(IssueContext {
            is_issued: invoice.is_some(),
            run: run.cloned().map(held_run).transpose()?,
            legal_entity: legal_entity.clone(),
            last_number: counter(what, number, LAST)?,
            last_totals_number: counter(what, totals, LAST)?,
        })
    }

    /// Writes an issued invoice and, in the same transaction, the outbox row of the totals event.
    ///
    /// # Errors
    /// [`StoreError`] when the transaction fails for another reason than contention.
    pub async fn record_issue(
        &self,
        context: &IssueContext,
        issue: &Issue,
        totals_event: Option<Write>,
    ) -> Result<Recorded, StoreError> {
        let mut writes = self.invoice_writes(&issue.invoice)?;
        writes.push(self.counter_put(number_key(&context.legal_entity), context.last_number));
        writes.extend(self.progress_writes(context, &issue.run, totals_event)?);
        self.transact("an invoice", writes).await
    }

    /// Completes a run without a further invoice.
    ///
    /// # Errors
    /// [`StoreError`] when the transaction fails for another reason than contention.
    pub async fn record_completion(
        &self,
        context: &IssueContext,
        completion: &RunCompletion,
        totals_event: Option<Write>,
    ) -> Result<Recorded, StoreError> {
        let writes = self.progress_writes(context, &completion.run, totals_event)?;
        self.transact("the completion of a run", writes).await
    }

    /// The writes of the invoice, its index by id, and its entry in the period's list.
    fn invoice_writes(&self, invoice: &Invoice) -> Result<Vec<Write>, StoreError> {
        let what = "an invoice";
        let (tenant, period) = (invoice.draft.tenant, invoice.draft.period);
        let by_id = to_item(
            what,
            invoice_id_key(invoice.id),
            &InvoiceRequest { tenant, period },
        )?;
        let listed = summary_key(period, &invoice.number.legal_entity, invoice.number.number);
        let listed = to_item(what, listed, &invoice.summary())?;
        Ok([invoice_item(invoice)?, by_id, listed]
            .map(|item| self.table.put(item).if_absent())
            .into())
    }

    fn progress_writes(
        &self,
        context: &IssueContext,
        run: &billing::Run,
        totals_event: Option<Write>,
    ) -> Result<Vec<Write>, StoreError> {
        let generation = context
            .run
            .as_ref()
            .map_or(Generation::NONE, |held| held.generation);
        let mut writes =
            vec![self.guarded_put(to_item("a run", run_key(run.period), run)?, generation)];
        if let Some(totals_event) = totals_event {
            writes.push(totals_event);
            writes.push(self.counter_put(totals_number_key(), context.last_totals_number));
        }
        Ok(writes)
    }

    /// Increments a counter on condition of the value that was read. Of two concurrent invoices
    /// with the same number, one is committed and the other starts over.
    fn counter_put(&self, key: Item, last: u64) -> Write {
        let mut item = key;
        item.insert(LAST.to_owned(), number(last + 1));
        self.table.put(item).if_counter(LAST, last)
    }

    async fn transact(
        &self,
        what: &'static str,
        writes: Vec<Write>,
    ) -> Result<Recorded, StoreError> {
        match self.table.transact(writes).await {
            Ok(()) => Ok(Recorded::Done),
            Err(error) if error.is_lost() => Ok(Recorded::Contended),
            Err(error) => Err(StoreError::write(what)(error)),
        }
    }
}
