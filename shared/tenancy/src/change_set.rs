//! What a decision reads and what it changes.

use crate::operation::steps;
use crate::tenant::status_changed;
use crate::toolkit::ToolkitEvent;
use crate::{
    Actor, AuditAction, AuditEntry, Context, IdentityProvider, Invitation, MachineClient,
    OrganisationName, ScheduledTask, Signup, Tenant, User, Username,
};
use contract::application::{
    TenantAddressChanged, TenantDeprovisioningRequested, TenantProvisioningRequested,
};
use contract::{
    Envelope, OnboardingProgressed, PlanChangeRequested, Step, StepName, Stream,
    SubdomainReservationUpdated, TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use kernel::{InvitationId, KnownReason, ReasonCode, Role, StatusReason, Timestamp};

/// What a decision is made on: a tenant, and the sign-up that made it while that is still known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The tenant.
    pub tenant: Tenant,
    /// Its sign-up.
    pub signup: Option<Signup>,
}

/// What a decision changes, to be stored in one transaction on condition that the tenant is still
/// the one that it was made on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// The tenant that it was made on.
    pub before: Tenant,
    /// The tenant from now on.
    pub tenant: Tenant,
    /// The sign-up from now on, where it changes.
    pub signup: Option<Signup>,
    /// The organisation's name from now on, where it changes.
    pub organisation: Option<OrganisationName>,
    /// What changes of users, invitations and clients.
    pub members: Vec<MemberChange>,
    /// What is published.
    pub events: Vec<TenantEvent>,
    /// When the tenant has to be looked at again.
    pub due: Vec<ScheduledTask>,
    /// What it need no longer be looked at for.
    pub done: Vec<ScheduledTask>,
    /// What the audit trail says of it.
    pub audit: Vec<AuditEntry>,
}

/// A change of a user or an invitation, or of what else signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// A user joins.
    Join(Box<User>),
    /// A user proved to read the address, at this moment.
    Confirm(Username, Timestamp),
    /// A user has another role.
    Role(Username, Role),
    /// A user leaves.
    Leave(Box<User>),
    /// An invitation is made, or replaces the one to the same address.
    Invite(Box<Invitation>),
    /// An invitation is accepted or withdrawn, and erased.
    CloseInvitation(InvitationId),
    /// A user who was removed may not come back uninvited.
    Block(Username),
    /// That holds no more.
    Unblock(Username),
    /// A client is made or changes.
    Client(Box<MachineClient>),
    /// A client is forgotten.
    DeleteClient(Box<MachineClient>),
    /// The tenant's own identity provider is set.
    Provider(Box<IdentityProvider>),
    /// The tenant's own identity provider is forgotten.
    NoProvider,
}

/// An event that a decision states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantEvent {
    /// The tenant's status or plan changed.
    Status(Envelope<TenantStatusChanged>),
    /// A policy holds.
    PolicyApplied(Envelope<TenantPolicyApplied>),
    /// Another plan is asked for.
    PlanChange(Envelope<PlanChangeRequested>),
    /// How far a claim to a subdomain is.
    Subdomains(Envelope<SubdomainReservationUpdated>),
    /// Another subdomain leads to the tenant.
    Address(Envelope<TenantAddressChanged>),
    /// The tenant's data is erased.
    Erased(Envelope<TenantErased>),
    /// How far a central onboarding is.
    Onboarding(Envelope<OnboardingProgressed>),
    /// The application is asked for resources.
    Provision(Envelope<TenantProvisioningRequested>),
    /// The application is asked to remove them.
    Deprovision(Envelope<TenantDeprovisioningRequested>),
    /// The same in the words of AWS SaaS Builder Toolkit.
    Toolkit(ToolkitEvent),
}

impl ChangeSet {
    /// An changes in which only the generation changes.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let before = state.tenant.clone();
        let tenant = Tenant {
            generation: before.generation.next(),
            ..before.clone()
        };
        Self {
            before,
            tenant,
            signup: None,
            organisation: None,
            members: Vec::new(),
            events: Vec::new(),
            due: Vec::new(),
            done: Vec::new(),
            audit: Vec::new(),
        }
    }

    /// Publishes the tenant's status and plan, as its next version.
    pub(crate) fn publish_status(&mut self, reason: StatusReason, context: &Context) {
        self.tenant.version += 1;
        self.events.push(TenantEvent::Status(status_changed(
            &self.tenant,
            reason,
            context,
        )));
    }

    /// Changes the sign-up, and tells home where home follows it.
    pub(crate) fn progress(
        &mut self,
        signup: &Signup,
        context: &Context,
        change: impl FnOnce(&mut Signup),
    ) {
        let mut signup = self.signup.take().unwrap_or_else(|| signup.clone());
        change(&mut signup);
        signup.revision += 1;
        self.events
            .retain(|event| !matches!(event, TenantEvent::Onboarding(_)));
        self.events
            .extend(onboarding_progressed(&signup, &self.tenant, context));
        self.signup = Some(signup);
    }

    /// Adds to the audit trail.
    pub(crate) fn note(
        &mut self,
        actor: Actor,
        action: AuditAction,
        target: Option<String>,
        context: &Context,
    ) {
        let id = context.event_of(&format!("audit:{}", self.audit.len()));
        self.audit.push(AuditEntry {
            id,
            at: context.now,
            actor,
            action,
            target,
            refused: None,
        });
    }
}

/// The application chose its reason itself, so it does not leave the region.
fn without_the_applications_words(step: Step) -> Step {
    let told = |reason: ReasonCode| match step.name {
        StepName::Provisioning if reason != KnownReason::NoAnswer.into() => {
            KnownReason::Application.into()
        }
        _ => reason,
    };
    Step {
        reason: step.reason.map(told),
        ..step
    }
}

/// What home is told of a sign-up that it handed over.
pub(crate) fn onboarding_progressed(
    signup: &Signup,
    tenant: &Tenant,
    context: &Context,
) -> Option<TenantEvent> {
    let onboarding = signup.onboarding?;
    Some(TenantEvent::Onboarding(Envelope {
        id: context.event_of("onboarding"),
        region: context.region.clone(),
        stream: Stream::Tenant(tenant.id),
        sequence: signup.revision,
        occurred_at: context.now,
        data: OnboardingProgressed {
            onboarding,
            tenant: tenant.id,
            alias: tenant.alias.clone(),
            steps: steps(signup, tenant)
                .into_iter()
                .map(without_the_applications_words)
                .collect(),
            revision: signup.revision,
        },
    }))
}
