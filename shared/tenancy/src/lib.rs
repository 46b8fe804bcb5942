//! Registrations, tenants and users as pure decisions; the only home of personal-data types.
//!
//! Invariants: a personal value shows itself only to who asks for it by `expose`; neither a fact nor any
//! `Debug` output holds one. A repeated command changes nothing. Does no I/O, reads no clock, makes no
//! random ids: ids and the present moment are arguments. May not import an adapter.

mod claims;
mod idempotency;
mod operation;
mod personal;
mod policy;
mod registration;
mod tenant;

pub use claims::{Claims, ClaimsRefusal, claims};
pub use idempotency::{Fingerprint, IdempotencyKey, KeyDigest};
pub use operation::{Action, IdentityFailure, Operation, OperationState, Signup, Step, StepName, StepState};
pub use personal::{EmailAddress, OrganisationName, Password, PersonName};
pub use policy::{AppliedPolicy, PolicyOutcome, decide_policy};
pub use registration::{FieldProblem, Identifiers, Registration, SignUp, SignUpRequest, decide_sign_up};
pub use tenant::{
    Change, Occasion, Refusal, TRANSITIONS, Tenant, Transition, User, Username, decide_change, decide_confirmation,
};

#[cfg(test)]
mod tests;
