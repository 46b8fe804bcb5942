//! Registration: the input of a sign-up, its validation, and the records that it creates.

use crate::audit::{Actor, AuditAction, AuditEntry};
use crate::change_set::{TenantEvent, onboarding_progressed};
use crate::operation::Signup;
use crate::personal::{EmailAddress, OrganisationName, Password, PersonName};
use crate::policy::AppliedPolicy;
use crate::settings::Settings;
use crate::settings::after;
use crate::task::{ScheduledTask, TaskKind};
use crate::tenant::status_changed;
use crate::tenant::{Context, Tenant};
use crate::user::{DocumentVersion, Documents, Origin, User, Username};
use catalogue::{AlertThresholds, Catalogue};
use kernel::{
    Alias, BillingAnchor, DomainName, Generation, Invalid, Language, OnboardingId, PlanCode,
    RegionCode, Role, SignupId, StatusReason, TenantId, TenantStatus,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;
use utoipa::ToSchema;

/// A sign-up as received, not validated yet. It has no `Debug`, since it is personal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(description = "The registration of a company and its first administrator.")]
pub struct SignUpRequest {
    /// The organisation that becomes a tenant. One line, without web addresses or invisible
    /// characters.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    organisation: Option<String>,
    /// The name of the first administrator. One line, without web addresses or invisible
    /// characters.
    #[schema(value_type = String, min_length = 1, max_length = 120)]
    name: Option<String>,
    /// The administrator's address, in ASCII.
    #[schema(value_type = String, format = "email", max_length = 254)]
    email: Option<String>,
    /// The administrator's password: at least one lower-case letter, one upper-case letter and one
    /// digit.
    #[schema(value_type = String, format = Password, write_only, min_length = 12, max_length = 256)]
    password: Option<String>,
    /// The plan that the tenant starts with.
    #[schema(value_type = PlanCode)]
    plan: Option<String>,
    /// The region that the caller expects to serve the request. Any other region refuses the
    /// sign-up.
    #[schema(value_type = Option<RegionCode>)]
    region: Option<String>,
    /// The language of mails and pages for the tenant's people; English if absent.
    #[schema(value_type = Option<Language>)]
    language: Option<String>,
    /// The time of day at which the tenant's days and billing periods begin, for good; midnight in
    /// UTC if absent. A time from 12:00 on is on the evening before: 23:00 is midnight where clocks
    /// are an hour ahead.
    #[schema(value_type = Option<BillingAnchor>)]
    billing_anchor: Option<String>,
    /// The version of the terms that the person agreed to.
    #[schema(value_type = DocumentVersion)]
    terms: Option<String>,
    /// The version of the data-processing agreement that the person agreed to.
    #[schema(value_type = DocumentVersion)]
    data_processing: Option<String>,
    /// A honeypot that has to be empty. People do not see this field of the form, so only programs
    /// fill it in.
    website: Option<String>,
}

/// The acceptance of an invitation as received. It has no `Debug`, since it is personal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(description = "The acceptance of an invitation by the invited person.")]
pub struct AcceptanceRequest {
    /// The code that was mailed. Blanks and hyphens are ignored.
    #[schema(value_type = String, format = Password, write_only, max_length = 512)]
    pub code: Option<String>,
    /// The person's name. One line, without web addresses or invisible characters; required without
    /// a token.
    #[schema(min_length = 1, max_length = 120)]
    name: Option<String>,
    /// The password of the new account: at least one lower-case letter, one upper-case letter and
    /// one digit.
    #[schema(value_type = String, format = Password, write_only, min_length = 12, max_length = 256)]
    password: Option<String>,
    /// The version of the terms that the person agreed to; required without a token.
    #[schema(value_type = Option<DocumentVersion>)]
    terms: Option<String>,
    /// The version of the data-processing agreement that the person agreed to; required without a
    /// token.
    #[schema(value_type = Option<DocumentVersion>)]
    data_processing: Option<String>,
}

/// A valid acceptance.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The person's name; absent if it is known from another account of the person.
    pub name: Option<PersonName>,
    /// The password of the new account.
    pub password: Password,
}

/// A region's requirements for registrations.
#[derive(Debug, Clone)]
pub struct Requirements {
    /// The documents to agree to.
    pub documents: Documents,
    /// Domains whose addresses are refused.
    pub disposable: DisposableDomains,
}

/// Domains of disposable mail addresses, as the operator lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DisposableDomains(BTreeSet<DomainName>);

impl DisposableDomains {
    /// Whether an address is at one of the domains or below one.
    #[must_use]
    pub fn hold(&self, email: &EmailAddress) -> bool {
        let key = email.key();
        let domain = key.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.0.iter().any(|name| {
            let below = domain.strip_suffix(name.as_str());
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        })
    }
}

impl FromStr for DisposableDomains {
    type Err = Invalid;

    /// Parses domains separated by commas. The list may be empty.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let domains = text
            .split(',')
            .map(str::trim)
            .filter(|domain| !domain.is_empty());
        let domains: Result<_, Invalid> =
            domains.map(|domain| domain.parse::<DomainName>()).collect();
        let invalid = Invalid {
            kind: "disposable domains",
            rule: "domains separated by commas, without wildcards",
        };
        domains.map(Self).map_err(|_| invalid)
    }
}

/// A field of a request that is invalid. It does not contain the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field's name in the request.
    pub field: &'static str,
    /// The requirement, worded to follow "must be".
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
    /// The region that the caller expects, if the request names one.
    pub region: Option<RegionCode>,
    /// The language of mails and pages for the tenant's people.
    pub language: Language,
    /// The time of day at which the tenant's days begin.
    pub billing_anchor: BillingAnchor,
    /// The documents that the person agreed to.
    pub documents: Documents,
}

impl SignUpRequest {
    /// Whether the honeypot field is filled in.
    #[must_use]
    pub fn hit_honeypot(&self) -> bool {
        self.website
            .as_ref()
            .is_some_and(|website| !website.is_empty())
    }

    /// Validates every field.
    ///
    /// # Errors
    /// All fields that are missing or invalid, with the reasons.
    pub fn validate(
        self,
        catalogue: &Catalogue,
        requirements: &Requirements,
    ) -> Result<Registration, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let organisation = required("organisation", self.organisation, &mut problems);
        let name = required("name", self.name, &mut problems);
        let email = required("email", self.email, &mut problems);
        let password = required("password", self.password, &mut problems);
        let plan = required("plan", self.plan, &mut problems).filter(|plan| {
            let known = catalogue.plan(plan).is_some();
            if !known {
                problems.push(FieldProblem {
                    field: "plan",
                    reason: "a plan of the catalogue",
                });
            }
            known
        });
        if email
            .as_ref()
            .is_some_and(|email| requirements.disposable.hold(email))
        {
            problems.push(FieldProblem {
                field: "email",
                reason: "an address that lasts",
            });
        }
        agreed(
            self.terms,
            self.data_processing,
            &requirements.documents,
            &mut problems,
        );
        let region = self
            .region
            .and_then(|region| parse("region", &region, &mut problems));
        let language = self
            .language
            .and_then(|language| parse("language", &language, &mut problems));
        let anchor = self
            .billing_anchor
            .and_then(|anchor| parse("billing_anchor", &anchor, &mut problems));
        match (organisation, name, email, password, plan) {
            (Some(organisation), Some(name), Some(email), Some(password), Some(plan))
                if problems.is_empty() =>
            {
                let (language, billing_anchor) =
                    (language.unwrap_or_default(), anchor.unwrap_or_default());
                let documents = requirements.documents.clone();
                Ok(Registration {
                    organisation,
                    name,
                    email,
                    password,
                    plan,
                    region,
                    language,
                    billing_anchor,
                    documents,
                })
            }
            _ => Err(problems),
        }
    }
}

impl AcceptanceRequest {
    /// Validates every field except the code. A person with another account in the region
    /// (`is_known`) may omit name and consents.
    ///
    /// # Errors
    /// All fields that are missing or invalid, with the reasons.
    pub fn validate(
        self,
        requirements: &Requirements,
        is_known: bool,
    ) -> Result<Acceptance, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let password = required("password", self.password, &mut problems);
        let name = if is_known {
            self.name
                .and_then(|name| parse("name", &name, &mut problems))
        } else {
            agreed(
                self.terms,
                self.data_processing,
                &requirements.documents,
                &mut problems,
            );
            required("name", self.name, &mut problems)
        };
        match password {
            Some(password) if problems.is_empty() => Ok(Acceptance { name, password }),
            _ => Err(problems),
        }
    }
}

/// Checks the agreed versions. Only the current ones are accepted.
fn agreed(
    terms: Option<String>,
    data_processing: Option<String>,
    documents: &Documents,
    problems: &mut Vec<FieldProblem>,
) {
    let fields = [
        ("terms", terms, &documents.terms),
        (
            "data_processing",
            data_processing,
            &documents.data_processing,
        ),
    ];
    for (field, given, current) in fields {
        if given.as_deref() != Some(current.as_str()) {
            problems.push(FieldProblem {
                field,
                reason: "the version that holds now, agreed to by the person",
            });
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
            problems.push(FieldProblem {
                field,
                reason: "present",
            });
            None
        }
    }
}

fn parse<T: FromStr<Err = Invalid>>(
    field: &'static str,
    text: &str,
    problems: &mut Vec<FieldProblem>,
) -> Option<T> {
    text.parse()
        .map_err(|Invalid { rule, .. }| {
            problems.push(FieldProblem {
                field,
                reason: rule,
            })
        })
        .ok()
}

/// The ids of a new sign-up, chosen by the caller.
#[derive(Debug, Clone)]
pub struct Identifiers {
    /// The id of the operation. It has to be unguessable, since it is the handle to read and
    /// confirm it.
    pub signup: SignupId,
    /// The id of the tenant.
    pub tenant: TenantId,
    /// The tenant's random alias.
    pub alias: Alias,
    /// Home's operation, if home hands the sign-up over.
    pub onboarding: Option<OnboardingId>,
}

/// The records that a sign-up creates. They are stored in one transaction.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The operation.
    pub signup: Signup,
    /// The tenant, pending.
    pub tenant: Tenant,
    /// The organisation's name.
    pub organisation: OrganisationName,
    /// The tenant's first administrator.
    pub user: User,
    /// The tenant's first status, and the onboarding's progress if home follows it.
    pub events: Vec<TenantEvent>,
    /// The task that expires the sign-up unless it is confirmed.
    pub due: ScheduledTask,
    /// The first entry of the audit trail.
    pub audit: AuditEntry,
}

/// Decides what a valid registration creates: a pending tenant with its administrator.
///
/// The tenant has its plan's entitlements until home publishes a policy, so that a region accepts
/// sign-ups even if it cannot reach home.
#[must_use]
pub fn decide_sign_up(
    registration: &Registration,
    catalogue: &Catalogue,
    documents: &Documents,
    ids: Identifiers,
    settings: &Settings,
    context: &Context,
) -> SignUp {
    let Identifiers {
        signup,
        tenant,
        alias,
        onboarding,
    } = ids;
    let username = Username::of(&alias, &registration.email);
    let tenant = pending_tenant(registration, catalogue, tenant, alias, signup);
    let signup = unconfirmed_signup(&tenant, username, onboarding, settings, context);
    let mut events = vec![TenantEvent::Status(status_changed(
        &tenant,
        StatusReason::SignedUp,
        context,
    ))];
    events.extend(onboarding_progressed(&signup, &tenant, context));
    SignUp {
        organisation: registration.organisation.clone(),
        user: User {
            username,
            tenant: tenant.id,
            role: Role::Admin,
            name: registration.name.clone(),
            email: registration.email.clone(),
            origin: Origin::Signup(signup.id),
            account: None,
            consents: documents.agreed_at(context.now),
            created_at: context.now,
            confirmed_at: None,
        },
        events,
        due: ScheduledTask {
            at: signup.confirm_by,
            kind: TaskKind::Expiry,
            tenant: tenant.id,
        },
        audit: AuditEntry {
            id: context.event_of("audit"),
            at: context.now,
            actor: Actor::User(username),
            action: AuditAction::SignUp,
            target: None,
            refused: None,
        },
        signup,
        tenant,
    }
}

/// The tenant of a sign-up that is not confirmed yet.
fn pending_tenant(
    registration: &Registration,
    catalogue: &Catalogue,
    id: TenantId,
    alias: Alias,
    signup: SignupId,
) -> Tenant {
    let entitlements = catalogue
        .plan(&registration.plan)
        .map(|plan| plan.entitlements.clone())
        .unwrap_or_default();
    Tenant {
        id,
        alias,
        signup,
        plan: registration.plan.clone(),
        language: registration.language,
        billing_anchor: registration.billing_anchor,
        alert_thresholds: AlertThresholds::default(),
        status: TenantStatus::Pending,
        activated_at: None,
        version: 1,
        generation: Generation::FIRST,
        policy: AppliedPolicy {
            version: 0,
            suspension: None,
            entitlements,
        },
        admins: 1,
        users: 1,
        invitations: 0,
        provisioning: None,
        plan_request: None,
        closure: None,
        federation: None,
        previous: None,
        subdomains: None,
    }
}

/// The operation of a sign-up of which only the registration is done.
fn unconfirmed_signup(
    tenant: &Tenant,
    username: Username,
    onboarding: Option<OnboardingId>,
    settings: &Settings,
    context: &Context,
) -> Signup {
    Signup {
        id: tenant.signup,
        tenant: tenant.id,
        alias: tenant.alias.clone(),
        username,
        onboarding,
        revision: 1,
        registered_at: context.now,
        confirm_by: after(context.now, settings.confirm_within),
        identity_at: None,
        identity_failure: None,
        code_owed: None,
        confirmed_at: None,
        activated_at: None,
        routed_at: None,
        expired_at: None,
    }
}
