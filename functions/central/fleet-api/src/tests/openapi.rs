use crate::handler;
use runtime::http::Problem;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::show_fleet,
        handler::show_tenant,
        handler::suspend,
        handler::lift_suspension,
    ),
    components(schemas(Problem)),
    tags(
        (name = "Fleet", description = "The regions."),
        (name = "Tenants", description = "The regions, policies and suspensions of tenants."),
    ),
)]
struct Description;

#[test]
fn the_document_matches_the_routes() {
    assert_published(
        Api::Operator,
        "fleet-api",
        &serde_json::to_value(Description::openapi()).unwrap(),
    );
}
