//! Issues one invoice per message. A repeated message finds the invoice issued.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use billing::{
    Billability, Billing, DisclosureThreshold, Draft, InvoiceRefusal, InvoiceRequest, PriorInvoice,
    decide_completion, decide_issue, plan_invoice, total_usage,
};
use billing_store::{BillingStore, IssueContext, Recorded, StoreError};
use catalogue::Catalogue;
use contract::{Envelope, RegionBillingTotaled, Stream};
use dynamo::{Attempts, CROWD, Write};
use kernel::{BillingPeriod, EventId, LegalEntity, RegionCode, TenantId};
use outbox::{Outbox, Row, Target};
use runtime::queue::{self, MessageError};

/// Issues the invoice of each message. A message that fails is reported, so that the queue delivers
/// it again.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: SqsEvent,
) -> Result<SqsBatchResponse, runtime::Error> {
    Ok(queue::each(event, async |message| issue(adapters, message).await).await)
}

/// The adapters of the function.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The outbox of the region.
    pub(crate) outbox: Outbox,
    /// The prices.
    pub(crate) catalogue: Catalogue,
    /// The issuer of the invoices.
    pub(crate) legal_entity: LegalEntity,
    /// The region that bills.
    pub(crate) region: RegionCode,
    /// The rule for publishing the region's totals.
    pub(crate) disclosure: DisclosureThreshold,
}

/// The reasons why an invoice was not issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvoiceError {
    /// The message is not a request.
    #[error("the message is not a request for an invoice")]
    Message(#[source] MessageError),
    /// The period's run was not started.
    #[error("period {period} has no billing run")]
    NoRun {
        /// The period.
        period: BillingPeriod,
    },
    /// The tenant was not in use in the period and has no late usage, or has no account.
    #[error("tenant {tenant} is not billed for period {period}")]
    NotBilled {
        /// The tenant.
        tenant: TenantId,
        /// The period.
        period: BillingPeriod,
    },
    /// The catalogue does not cover the invoice.
    #[error("the invoice of tenant {tenant} is refused")]
    Refused {
        /// The tenant.
        tenant: TenantId,
        /// The reason.
        #[source]
        source: InvoiceRefusal,
    },
    /// The table failed.
    #[error("the invoice was not stored")]
    Store(#[source] StoreError),
    /// The totals event could not be encoded.
    #[error("the region's totals cannot be published")]
    Totals(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Other invoices took the next number at every attempt.
    #[error("other invoices took the next number at every attempt")]
    Contended,
}

/// Decides on a loaded context, and writes on condition that the context has not changed. The draft
/// is planned once: the ledger decides it, not the context.
async fn issue(adapters: &Adapters, message: &SqsMessage) -> Result<(), InvoiceError> {
    let request: InvoiceRequest = queue::parse(message).map_err(InvoiceError::Message)?;
    let mut planned = None;
    let mut attempts = Attempts::of(CROWD);
    loop {
        let context = adapters
            .store
            .load_issue_context(request, &adapters.legal_entity)
            .await
            .map_err(InvoiceError::Store)?;
        let recorded = if context.is_issued {
            complete(adapters, &context, request).await?
        } else {
            let draft = match planned.take() {
                Some(draft) => draft,
                None => plan(adapters, request).await?,
            };
            planned = Some(draft.clone());
            record(adapters, &context, draft).await?
        };
        match recorded {
            Recorded::Done => return Ok(()),
            Recorded::Contended if attempts.wait().await => {}
            Recorded::Contended => return Err(InvoiceError::Contended),
        }
    }
}

/// Issues the invoice under the next number, with the region's totals if it is the run's last.
async fn record(
    adapters: &Adapters,
    context: &IssueContext,
    draft: Draft,
) -> Result<Recorded, InvoiceError> {
    let period = draft.period;
    let held = context.run.as_ref().ok_or(InvoiceError::NoRun { period })?;
    let issue = decide_issue(
        draft,
        held.run.clone(),
        context.next_number(),
        adapters.disclosure,
    );
    let totals_event = issue
        .totals_event
        .as_ref()
        .map(|totals| totals_write(adapters, context, totals))
        .transpose()?;
    adapters
        .store
        .record_issue(context, &issue, totals_event)
        .await
        .map_err(InvoiceError::Store)
}

/// Completes the run if it is complete although its last invoice did not complete it: the number of
/// expected invoices has fallen since.
async fn complete(
    adapters: &Adapters,
    context: &IssueContext,
    request: InvoiceRequest,
) -> Result<Recorded, InvoiceError> {
    let held = context.run.as_ref().ok_or(InvoiceError::NoRun {
        period: request.period,
    })?;
    let Some(completion) = decide_completion(&held.run, adapters.disclosure) else {
        return Ok(Recorded::Done);
    };
    let totals_event = completion
        .totals_event
        .as_ref()
        .map(|totals| totals_write(adapters, context, totals))
        .transpose()?;
    adapters
        .store
        .record_completion(context, &completion, totals_event)
        .await
        .map_err(InvoiceError::Store)
}

/// Plans the invoice from the period's usage and the earlier invoices.
async fn plan(adapters: &Adapters, request: InvoiceRequest) -> Result<Draft, InvoiceError> {
    let InvoiceRequest { tenant, period } = request;
    let Adapters {
        store, catalogue, ..
    } = adapters;
    let refused = |source| InvoiceError::Refused { tenant, source };
    let record = store
        .load_tenant(tenant)
        .await
        .map_err(InvoiceError::Store)?;
    let billability = record
        .account
        .as_ref()
        .and_then(|account| account.billability(period));
    let billability = billability.ok_or(InvoiceError::NotBilled { tenant, period })?;
    let windows = store
        .load_windows(tenant, period)
        .await
        .map_err(InvoiceError::Store)?;
    let usage = total_usage(catalogue, &windows).map_err(refused)?;
    let earlier = store
        .load_prior_invoices(tenant, period)
        .await
        .map_err(InvoiceError::Store)?
        .into_iter();
    let earlier = earlier.map(|(invoice, windows)| PriorInvoice::of(catalogue, invoice, &windows));
    let earlier: Vec<PriorInvoice> = earlier.collect::<Result<_, _>>().map_err(refused)?;
    let missing_reports = record.missing_reports();
    let billing = Billing {
        catalogue,
        tenant,
        period,
        billability,
        usage: &usage,
        earlier: &earlier,
        missing_reports,
    };
    let draft = plan_invoice(billing).map_err(refused)?;
    if matches!(billability, Billability::Left(_)) && draft.lines.is_empty() {
        return Err(InvoiceError::NotBilled { tenant, period });
    }
    Ok(draft)
}

/// The outbox row of the totals event, for the transaction of the invoice.
fn totals_write(
    adapters: &Adapters,
    context: &IssueContext,
    totals: &RegionBillingTotaled,
) -> Result<Write, InvoiceError> {
    let envelope = Envelope {
        id: EventId::from_uuid(runtime::new_uuid()),
        region: adapters.region.clone(),
        stream: Stream::Billing,
        sequence: context.next_totals_number(),
        occurred_at: runtime::now(),
        data: totals.clone(),
    };
    let row = Row::new(Target::Regional, &envelope)
        .map_err(|error| InvoiceError::Totals(error.into()))?;
    Ok(adapters.outbox.put(&row))
}
