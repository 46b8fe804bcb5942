//! The refusals of this API.

use central_store::UpdateError;
use fleet::Refusal;
use runtime::http::Problem;

runtime::problem_kinds! {
    /// What this API refuses.
    pub(crate) enum ProblemKind {
        /// It is no lower-case hyphenated UUID.
        InvalidTenantId = BAD_REQUEST, "invalid-tenant-id", "This is not a tenant id",
            "A tenant id is a lower-case hyphenated UUID.";
        /// The query does not name exactly one reason.
        InvalidReason = UNPROCESSABLE_ENTITY, "invalid-reason",
            "The query does not name one reason",
            "A suspension is lifted for a reason: reason=operator or reason=dunning, and nothing \
             else.";
        /// No region has published anything of it.
        UnknownTenant = NOT_FOUND, "unknown-tenant", "The directory does not have this tenant",
            "A tenant is in the directory as soon as the first event of it from its region has arrived.";
        /// Nothing of a closed tenant can be changed.
        TenantClosed = CONFLICT, "tenant-closed", "The tenant is closed",
            "Nobody can sign in to a closed tenant, and nothing of it can be changed.";
    }
}

pub(crate) fn not_changed(error: &UpdateError) -> Problem {
    match error {
        UpdateError::Refused(Refusal::UnknownTenant) => ProblemKind::UnknownTenant.into(),
        UpdateError::Refused(Refusal::Closed) => ProblemKind::TenantClosed.into(),
        UpdateError::Refused(_) | UpdateError::Store(_) => Problem::internal(error),
    }
}
