use crate::{handler, usage};
use runtime::http::Problem;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::list_invoices,
        handler::show_invoice,
        handler::show_run,
        usage::show,
        handler::list_incidents,
        handler::describe,
    ),
    components(schemas(Problem)),
    tags(
        (name = "Billing", description = "Invoices, billing runs, and incidents of the ledger."),
        (name = "Description", description = "The API itself."),
    ),
)]
struct Description;

#[test]
fn the_document_describes_the_routes() {
    assert_published(
        Api::Operator,
        "billing-api",
        &serde_json::to_value(Description::openapi()).unwrap(),
    );
}
