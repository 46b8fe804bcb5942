use crate::handler;
use crate::problems::ProblemKind;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(handler::show_fleet, handler::show_tenant, handler::suspend, handler::lift_suspension),
    tags(
        (name = "Fleet", description = "The regions."),
        (name = "Tenants", description = "The regions, policies and suspensions of tenants."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published::<ProblemKind>(Api::Operator, "fleet-api", &Description::openapi());
}
