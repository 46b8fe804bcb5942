use crate::problems::ProblemKind;
use crate::{handler, home};
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        home::page, home::script, home::style, handler::list_regions, handler::create,
        handler::show, handler::describe,
    ),
    tags(
        (name = "Home page", description = "The start page for people without a tenant's address."),
        (name = "Regions", description = "The regions of the fleet."),
        (name = "Onboardings", description = "Sign-ups on behalf of a company."),
        (name = "Description", description = "The API itself."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published::<ProblemKind>(Api::Home, "fleet-onboarding", &Description::openapi());
}
