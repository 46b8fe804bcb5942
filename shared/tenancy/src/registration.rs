//! Registration: what a person asks for at sign-up, and what follows from it.

use crate::policy::AppliedPolicy;
use crate::tenant::{Occasion, status_changed};
use crate::{EmailAddress, OrganisationName, Password, PersonName, Signup, Tenant, User, Username};
use contract::catalogue::Catalogue;
use contract::{Envelope, TenantStatusChanged};
use kernel::{Alias, Invalid, PlanCode, RegionCode, Role, SignupId, StatusReason, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A sign-up as it arrives: nothing of it is checked yet. Has no `Debug`, since it is personal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignUpRequest {
    organisation: Option<String>,
    name: Option<String>,
    email: Option<String>,
    password: Option<String>,
    plan: Option<String>,
    region: Option<String>,
}

/// One field of a request that is not what it has to be. The value itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field's name in the request.
    pub field: &'static str,
    /// What the field must be, in words that complete "must be".
    pub reason: &'static str,
}

/// A valid registration.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The organisation that becomes a tenant.
    pub organisation: OrganisationName,
    /// The name of its first administrator.
    pub name: PersonName,
    /// The administrator's address.
    pub email: EmailAddress,
    /// The administrator's password.
    pub password: Password,
    /// The plan that the tenant starts with.
    pub plan: PlanCode,
    /// The region that the caller believes to talk to, where it says so.
    pub region: Option<RegionCode>,
}

impl SignUpRequest {
    /// Checks every field.
    ///
    /// # Errors
    /// Each field that is missing or wrong, with the reason.
    pub fn validate(self, catalogue: &Catalogue) -> Result<Registration, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let organisation = required("organisation", self.organisation, &mut problems);
        let name = required("name", self.name, &mut problems);
        let email = required("email", self.email, &mut problems);
        let password = required("password", self.password, &mut problems);
        let plan = required("plan", self.plan, &mut problems).filter(|plan| {
            let known = catalogue.plan(plan).is_some();
            if !known {
                problems.push(FieldProblem { field: "plan", reason: "a plan of the catalogue" });
            }
            known
        });
        let region = self.region.and_then(|region| parse("region", &region, &mut problems));
        match (organisation, name, email, password, plan) {
            (Some(organisation), Some(name), Some(email), Some(password), Some(plan)) if problems.is_empty() => {
                Ok(Registration { organisation, name, email, password, plan, region })
            }
            _ => Err(problems),
        }
    }
}

fn required<T: FromStr<Err = Invalid>>(
    field: &'static str,
    text: Option<String>,
    problems: &mut Vec<FieldProblem>,
) -> Option<T> {
    match text {
        Some(text) => parse(field, &text, problems),
        None => {
            problems.push(FieldProblem { field, reason: "present" });
            None
        }
    }
}

fn parse<T: FromStr<Err = Invalid>>(field: &'static str, text: &str, problems: &mut Vec<FieldProblem>) -> Option<T> {
    text.parse().map_err(|Invalid { rule, .. }| problems.push(FieldProblem { field, reason: rule })).ok()
}

/// The ids of a new sign-up, made by the caller.
#[derive(Debug, Clone)]
pub struct Identifiers {
    /// Of the operation. Has to be unguessable: it is the handle to read and confirm it.
    pub signup: SignupId,
    /// Of the tenant.
    pub tenant: TenantId,
    /// The tenant's random public label.
    pub alias: Alias,
}

/// All that a sign-up creates, to be stored in one transaction.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The operation.
    pub signup: Signup,
    /// The tenant, pending.
    pub tenant: Tenant,
    /// What the tenant calls itself.
    pub organisation: OrganisationName,
    /// The tenant's first administrator.
    pub user: User,
    /// That the tenant is pending.
    pub fact: Envelope<TenantStatusChanged>,
}

/// Decides what a valid registration creates: a pending tenant with its administrator.
///
/// Entitlements are those of the plan until home publishes a policy, so that a region that cannot reach
/// home takes sign-ups all the same.
#[must_use]
pub fn decide_sign_up(
    registration: &Registration,
    catalogue: &Catalogue,
    ids: Identifiers,
    occasion: &Occasion,
) -> SignUp {
    let Identifiers { signup, tenant, alias } = ids;
    let username = Username::of(&alias, &registration.email);
    let entitlements = catalogue.plan(&registration.plan).map(|plan| plan.entitlements.clone()).unwrap_or_default();
    let tenant = Tenant {
        id: tenant,
        alias,
        plan: registration.plan.clone(),
        status: TenantStatus::Pending,
        version: 1,
        policy: AppliedPolicy { version: 0, suspended: false, entitlements },
    };
    SignUp {
        signup: Signup::registered(signup, tenant.id, tenant.alias.clone(), username, occasion.now),
        organisation: registration.organisation.clone(),
        user: User {
            username,
            tenant: tenant.id,
            signup,
            role: Role::Admin,
            name: registration.name.clone(),
            email: registration.email.clone(),
        },
        fact: status_changed(&tenant, StatusReason::SignedUp, occasion),
        tenant,
    }
}
