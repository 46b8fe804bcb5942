//! The input and the result of a decision.

use crate::audit::{Actor, AuditAction, AuditEntry};
use crate::clients::MachineClient;
use crate::federation::IdentityProvider;
use crate::invitation::Invitation;
use crate::operation::Signup;
use crate::operation::steps;
use crate::personal::OrganisationName;
use crate::task::ScheduledTask;
use crate::tenant::status_changed;
use crate::tenant::{Context, Tenant};
use crate::toolkit::ToolkitEvent;
use crate::user::{User, Username};
use contract::application::{
    TenantAddressChanged, TenantDeprovisioningRequested, TenantProvisioningRequested,
};
use contract::{
    Envelope, OnboardingProgressed, PlanChangeRequested, Step, StepName, Stream,
    SubdomainReservationUpdated, TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use kernel::{InvitationId, KnownReason, ReasonCode, Role, StatusReason, Timestamp};

/// The input of a decision: a tenant, and its sign-up while that is still stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The tenant.
    pub tenant: Tenant,
    /// The sign-up that created it.
    pub signup: Option<Signup>,
}

/// The changes that a decision makes. They are stored in one transaction, on condition that the
/// tenant's generation has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// The tenant that the decision read.
    pub before: Tenant,
    /// The tenant after the change.
    pub tenant: Tenant,
    /// The changed sign-up, if it changes.
    pub signup: Option<Signup>,
    /// The organisation's new name, if it changes.
    pub organisation: Option<OrganisationName>,
    /// Changes to users, invitations, clients and the identity provider.
    pub members: Vec<MemberChange>,
    /// Events to publish.
    pub events: Vec<TenantEvent>,
    /// Tasks to schedule for the tenant.
    pub due: Vec<ScheduledTask>,
    /// Tasks that are done and can be removed.
    pub done: Vec<ScheduledTask>,
    /// New entries of the audit trail.
    pub audit: Vec<AuditEntry>,
}

/// A change to a user, an invitation, a client or the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// A user joins.
    Join(Box<User>),
    /// A user proved at this moment that they read mail to the address.
    Confirm(Username, Timestamp),
    /// A user gets another role.
    Role(Username, Role),
    /// A user leaves.
    Leave(Box<User>),
    /// An invitation is made. It replaces an earlier one to the same address.
    Invite(Box<Invitation>),
    /// An invitation is accepted or withdrawn, and erased.
    CloseInvitation(InvitationId),
    /// A removed user may come back only by invitation.
    Block(Username),
    /// A user is no longer blocked.
    Unblock(Username),
    /// A client is made or changed.
    Client(Box<MachineClient>),
    /// A client is deleted.
    DeleteClient(Box<MachineClient>),
    /// The tenant's own identity provider is set.
    Provider(Box<IdentityProvider>),
    /// The tenant's own identity provider is deleted.
    NoProvider,
}

/// An event that a decision publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantEvent {
    /// The tenant's status or plan changed.
    Status(Envelope<TenantStatusChanged>),
    /// A policy was applied.
    PolicyApplied(Envelope<TenantPolicyApplied>),
    /// Another plan is requested.
    PlanChange(Envelope<PlanChangeRequested>),
    /// The progress of a subdomain reservation.
    Subdomains(Envelope<SubdomainReservationUpdated>),
    /// The tenant's subdomain changed.
    Address(Envelope<TenantAddressChanged>),
    /// The tenant's data was erased.
    Erased(Envelope<TenantErased>),
    /// The progress of a central onboarding.
    Onboarding(Envelope<OnboardingProgressed>),
    /// Resources are requested from the application.
    Provision(Envelope<TenantProvisioningRequested>),
    /// The removal of the resources is requested from the application.
    Deprovision(Envelope<TenantDeprovisioningRequested>),
    /// The same request in the format of AWS SaaS Builder Toolkit.
    Toolkit(ToolkitEvent),
}

impl ChangeSet {
    /// A change set that increments the generation and changes nothing else.
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

    /// Changes the sign-up. Notifies home if home started the onboarding.
    pub(crate) fn progress(
        &mut self,
        signup: &Signup,
        context: &Context,
        change: impl FnOnce(&mut Signup),
    ) {
        let mut signup = self.signup.take().unwrap_or_else(|| signup.clone());
        change(&mut signup);
        signup.revision += 1;
        // One decision may change the sign-up more than once: home needs only the last event.
        self.events
            .retain(|event| !matches!(event, TenantEvent::Onboarding(_)));
        self.events
            .extend(onboarding_progressed(&signup, &self.tenant, context));
        self.signup = Some(signup);
    }

    /// Adds an entry to the audit trail.
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

/// Replaces a reason that the application chose: such text must not leave the region.
fn without_application_reason(step: Step) -> Step {
    let published = |reason: ReasonCode| match step.name {
        StepName::Provisioning if reason != KnownReason::NoAnswer.into() => {
            KnownReason::Application.into()
        }
        _ => reason,
    };
    Step {
        reason: step.reason.map(published),
        ..step
    }
}

/// The progress event for home. `None` if home did not start the onboarding.
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
                .map(without_application_reason)
                .collect(),
            revision: signup.revision,
        },
    }))
}
