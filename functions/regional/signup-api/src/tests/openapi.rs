use crate::problems::ProblemKind;
use crate::{handler, invitations};
use testkit::openapi::{Api, assert_published};
use utoipa::{IntoParams, OpenApi};

/// The sign-up that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct OfSignup {
    /// The operation.
    id: kernel::SignupId,
}

/// The header with which home hands a sign-up over.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "its fields are read by the derive alone")]
pub(crate) struct OnboardingHeader {
    /// Home's onboarding id, where home hands the sign-up over. Only a region in shared mode
    /// accepts it; other callers do not send it.
    #[param(rename = "meridian-onboarding", format = "uuid")]
    onboarding: Option<String>,
}

#[derive(OpenApi)]
#[openapi(
    paths(
        handler::form, handler::create, handler::read, handler::confirm, handler::resend,
        handler::retry_provisioning, invitations::accept, handler::describe,
    ),
    tags(
        (name = "Sign-ups", description = "How companies become tenants, and people their users."),
        (name = "Description", description = "The API itself."),
    ),
)]
struct Description;

#[test]
fn the_document_matches_the_routes() {
    assert_published::<ProblemKind>(Api::Regional, "signup-api", &Description::openapi());
}
