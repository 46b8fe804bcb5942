use crate::problems::ProblemKind;
use crate::{handler, usage};
use kernel::{BillingPeriod, MeterCode, TenantId, UsageGroup};
use testkit::openapi::{Api, assert_published};
use utoipa::{IntoParams, OpenApi};

/// Which invoices are asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct InvoiceQuery {
    /// The period.
    period: BillingPeriod,
    /// How many at most; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of an earlier answer.
    cursor: Option<String>,
}

/// What is asked of the ledger.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct UsageQuery {
    /// The tenant.
    tenant: TenantId,
    /// The period.
    period: BillingPeriod,
    /// The meter; all where it is not said.
    meter: Option<MeterCode>,
    /// Dimensions of the meter that divide the totals, with commas between; none where it is not
    /// said.
    group_by: Option<String>,
    /// Values that dimensions of the meter are to have.
    filter: Option<UsageGroup>,
    /// The first moment that windows begin at, RFC 3339.
    from: Option<String>,
    /// The moment before which windows begin, RFC 3339.
    to: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::list_invoices, handler::show_invoice, handler::show_run, usage::show,
        handler::list_incidents, handler::describe,
    ),
    tags(
        (name = "Billing", description = "Invoices, billing runs, and incidents of the ledger."),
        (name = "Description", description = "The API itself."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published::<ProblemKind>(Api::Operator, "billing-api", &Description::openapi());
}
