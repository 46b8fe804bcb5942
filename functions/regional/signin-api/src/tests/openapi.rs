use crate::handler;
use crate::problems::ProblemKind;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(handler::page, handler::script, handler::style, handler::discover, handler::look_up),
    tags((name = "Sign-in", description = "Where people sign in, and how they find their way back.")),
)]
struct Description;

#[test]
fn the_document_matches_the_routes() {
    assert_published::<ProblemKind>(Api::Regional, "signin-api", &Description::openapi());
}
