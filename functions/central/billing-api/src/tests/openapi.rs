use crate::handler;
use runtime::http::Problem;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::list_invoices,
        handler::show_invoice,
        handler::show_run,
        handler::describe,
    ),
    components(schemas(Problem)),
    tags(
        (name = "Billing", description = "Invoices and billing runs."),
        (name = "Description", description = "The API itself."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published(Api::Operator, "billing-api", &serde_json::to_value(Description::openapi()).unwrap());
}
