//! Registrations, tenants and users as pure decisions. The only crate with types for personal data.
//!
//! Invariants: only `expose` returns a personal value; neither an event nor a `Debug` output holds
//! one. A repeated command changes nothing. The crate does no I/O, reads no clock and makes no
//! random ids: ids and the current time are arguments. It may not import an adapter.

mod address;
mod alert_thresholds;
mod audit;
mod change_set;
mod claims;
mod clients;
mod closure;
mod code;
mod custom_subdomain;
mod displayed;
mod federation;
mod idempotency;
mod invitation;
mod lifecycle;
mod login;
mod mails;
mod notice;
mod operation;
mod personal;
mod policy;
mod provisioning;
mod registration;
mod settings;
mod subdomain;
mod task;
mod tenant;
mod toolkit;
mod user;
mod voucher;

pub use address::Addresses;
pub use alert_thresholds::{
    THRESHOLD_PERCENT_MAX, THRESHOLDS_MAX, decide_alert_thresholds, thresholds_of_plan,
};
pub use audit::{Actor, AuditAction, AuditEntry};
pub use change_set::{ChangeSet, MemberChange, State, TenantEvent};
pub use claims::{Bearer, Claims, ClaimsRefusal, claims};
pub use clients::{
    CLIENTS_KEPT_MAX, CLIENTS_MAX, ClientId, ClientWish, MachineClient, ROTATION, decide_client,
    decide_client_made, decide_forgotten, decide_revocation,
};
pub use closure::{Closure, decide_closure, decide_erased, decide_reopening, is_erasable};
pub use code::{ConfirmationCode, UndoCode};
pub use custom_subdomain::CustomSubdomain;
pub use federation::{
    AccountName, Federation, IdentityProvider, Issuer, JoinConditions, Newcomer, ProviderClientId,
    ProviderName, ProviderSecret, decide_federation, decide_federation_end, decide_newcomer,
    decide_provider, decide_provider_forgotten,
};
pub use idempotency::{Fingerprint, IdempotencyKey, KeyDigest};
pub use invitation::{
    INVITATION_VALID, INVITATIONS_MAX, Invitation, InvitationCode, Invite, SENDINGS_MAX, USERS_MAX,
    decide_acceptance, decide_invitation, decide_invitation_mail, decide_joined, decide_lost,
    decide_profile, decide_recount, decide_removal, decide_role, decide_withdrawal, may_complete,
};
pub use lifecycle::{
    decide_code_mail, decide_confirmation, decide_identity, decide_routed, decide_task,
};
pub use login::{Login, SIGN_IN_RETRIED};
pub use mails::{Asker, OwedMail, mailbox, share_of};
pub use notice::AdministratorNotice;
pub use operation::{Action, IdentityFailure, Operation, OperationState, Signup};
pub use personal::{EmailAddress, OrganisationName, Password, PersonName};
pub use policy::{AppliedPolicy, decide_plan_request, decide_policy};
pub use provisioning::{Provisioning, ProvisioningFailure, Said, decide_answer, decide_retry};
pub use registration::{
    Acceptance, AcceptanceRequest, DisposableDomains, FieldProblem, Identifiers, Registration,
    Requirements, SignUp, SignUpRequest, decide_sign_up,
};
pub use settings::{DRAIN, DRAIN_MAX, LOOK_AGAIN, ProvisioningMode, Settings};
pub use subdomain::{
    ASK_AGAIN, ActiveSubdomain, FormerSubdomain, ReservationState, SubdomainReservation,
    SubdomainUse, Subdomains, decide_reservation_answer, decide_subdomain_release,
    decide_subdomain_reservation,
};
pub use task::{ScheduledTask, TaskKind};
pub use tenant::{
    Change, Context, PlanRequest, Realm, Refusal, TRANSITIONS, Tenant, decide_change,
};
pub use toolkit::{TOOLKIT_ANSWER_SOURCE, TOOLKIT_SOURCE, ToolkitDetail, ToolkitEvent};
pub use user::{Consent, Document, DocumentVersion, Documents, Origin, User, Username};
pub use voucher::{VOUCHER_VALID, Voucher};

#[cfg(test)]
mod tests;
