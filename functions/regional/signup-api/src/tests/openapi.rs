use crate::{handler, invitations};
use runtime::http::Problem;
use testkit::openapi::{Api, assert_published};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::form,
        handler::create,
        handler::read,
        handler::confirm,
        handler::resend,
        handler::retry_provisioning,
        invitations::accept,
        handler::describe,
    ),
    components(schemas(Problem)),
    tags(
        (name = "Sign-ups", description = "How companies become tenants, and people their users."),
        (name = "Description", description = "The API itself."),
    ),
)]
struct Description;

#[test]
fn the_document_is_what_the_routes_say() {
    assert_published(
        Api::Regional,
        "signup-api",
        &serde_json::to_value(Description::openapi()).unwrap(),
    );
}
