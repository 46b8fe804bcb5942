//! A tenant's readable subdomain, unique in the whole fleet: reserved through home in two phases.
//!
//! The region asks, and home leases the subdomain. The region keeps it free for the tenant and
//! confirms, and home makes the reservation permanent. Only then does the subdomain lead to the tenant. Home
//! knows a subdomain by a keyed digest alone. What is lost on the way is asked for again, as another
//! question: an answer names the revision of what it answers, and only the one to the latest
//! question counts.

use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::custom_subdomain::CustomSubdomain;
use crate::settings::after;
use crate::{Actor, AuditAction, Context, Refusal, ScheduledTask, TaskKind, Tenant};
use contract::application::TenantAddressChanged;
use contract::{
    Envelope, ReservationDecision, ReservationPhase, Stream, SubdomainReservationDecided,
    SubdomainReservationUpdated,
};
use jiff::SignedDuration;
use kernel::{SubdomainDigest, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How soon home is asked again. A lease lasts long enough for two more questions.
pub const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// How long a subdomain is remembered that no longer leads to the tenant, so that its record goes. Home
/// gives it to nobody else for longer than that.
const FORMER_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many of them are remembered.
const FORMER_MAX: usize = 10;
/// How long it takes at most to remove the records of a closed tenant's subdomains: until then they are
/// not erased.
const RECORDS_REMOVED: SignedDuration = SignedDuration::from_mins(15);

/// What a tenant has of readable subdomains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subdomains {
    /// Grows with everything that home is told of a reservation, and with every change of the subdomain in
    /// use.
    pub revision: u64,
    /// The subdomain that leads to the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<ActiveSubdomain>,
    /// The reservation that is under way, or was refused last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<SubdomainReservation>,
    /// Subdomains that led to the tenant until a short while ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerSubdomain>,
}

/// A subdomain that leads to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSubdomain {
    /// The subdomain.
    pub subdomain: CustomSubdomain,
    /// What home knows it by.
    pub digest: SubdomainDigest,
    /// Since when.
    pub since: Timestamp,
}

/// A subdomain that led to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerSubdomain {
    /// The subdomain.
    pub subdomain: CustomSubdomain,
    /// Until when.
    pub until: Timestamp,
}

/// A reservation to a subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubdomainReservation {
    /// The subdomain.
    pub subdomain: CustomSubdomain,
    /// What home knows it by.
    pub digest: SubdomainDigest,
    /// How far it is.
    pub state: ReservationState,
    /// The revision of what home was asked last.
    pub revision: u64,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When home is asked again.
    pub ask_at: Timestamp,
}

/// How far a reservation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReservationState {
    /// Home is asked for the subdomain.
    Requesting,
    /// The subdomain is kept free for the tenant, and home is asked to make that permanent.
    Confirming,
    /// Somebody else has it, or had it a short while ago.
    Refused,
}

/// What a subdomain is in the region apart from the tenant that reservations it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubdomainUse {
    /// Nothing.
    Free,
    /// Kept free for another tenant.
    Reserved,
    /// The subdomain of another tenant.
    Leading,
}

impl SubdomainReservation {
    /// Whether home has not decided yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(
            self.state,
            ReservationState::Requesting | ReservationState::Confirming
        )
    }

    const fn phase(&self) -> ReservationPhase {
        match self.state {
            ReservationState::Confirming => ReservationPhase::Confirmed,
            ReservationState::Requesting | ReservationState::Refused => ReservationPhase::Requested,
        }
    }

    const fn due(&self, tenant: TenantId) -> ScheduledTask {
        ScheduledTask {
            at: self.ask_at,
            kind: TaskKind::Subdomains,
            tenant,
        }
    }
}

impl Subdomains {
    /// The reservation that home has not decided on.
    #[must_use]
    pub fn open_reservation(&self) -> Option<&SubdomainReservation> {
        self.reservation
            .as_ref()
            .filter(|reservation| reservation.is_open())
    }

    fn retire(&mut self, subdomain: CustomSubdomain, now: Timestamp) {
        self.former.retain(|former| {
            former.subdomain != subdomain && after(former.until, FORMER_KEPT) > now
        });
        self.former.push(FormerSubdomain {
            subdomain,
            until: now,
        });
        let excess = self.former.len().saturating_sub(FORMER_MAX);
        self.former.drain(..excess);
    }
}

impl Tenant {
    /// The readable subdomain that leads to the tenant.
    #[must_use]
    pub fn custom_subdomain(&self) -> Option<&CustomSubdomain> {
        self.subdomains
            .as_ref()?
            .held
            .as_ref()
            .map(|held| &held.subdomain)
    }

    /// The subdomains that led to the tenant until a short while ago: whoever made a record of one
    /// removes it now.
    pub fn former_subdomains(&self, now: Timestamp) -> impl Iterator<Item = &CustomSubdomain> {
        let former = self
            .subdomains
            .iter()
            .flat_map(|subdomains| &subdomains.former);
        former
            .filter(move |former| after(former.until, FORMER_KEPT) > now)
            .map(|former| &former.subdomain)
    }

    /// For how long the subdomains of a tenant that ends now have to be known.
    pub(crate) fn subdomains_needed_for(&self, now: Timestamp) -> SignedDuration {
        if self.former_subdomains(now).next().is_some() {
            RECORDS_REMOVED
        } else {
            SignedDuration::ZERO
        }
    }
}

/// Decides that a tenant reservations a subdomain. One that it has, keeps or reservations already is not reserved
/// again, and another reservation under way is given up. The subdomain in use stays in use until home has
/// confirmed the new one.
///
/// # Errors
/// When the tenant is not in use.
pub fn decide_subdomain_reservation(
    state: &State,
    subdomain: &CustomSubdomain,
    digest: &SubdomainDigest,
    actor: Actor,
    context: &Context,
) -> Result<Option<ChangeSet>, Refusal> {
    let tenant = &state.tenant;
    if tenant.status != TenantStatus::Active {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    let is_held = tenant.custom_subdomain() == Some(subdomain);
    let pending = tenant
        .subdomains
        .as_ref()
        .and_then(|subdomains| subdomains.reservation.as_ref());
    let is_reserved =
        pending.is_some_and(|pending| pending.is_open() && pending.subdomain == *subdomain);
    if is_reserved || (is_held && pending.is_none()) {
        return Ok(None);
    }
    let mut changes = ChangeSet::of(state);
    changes.release_reservation(context);
    if !is_held {
        changes.request_subdomain(subdomain, digest, context);
    }
    changes.note(actor, AuditAction::ReserveSubdomain, None, context);
    Ok(Some(changes))
}

/// Decides that a tenant gives up its subdomain, and any that it has reserved. Nothing changes where it has
/// none.
#[must_use]
pub fn decide_subdomain_release(
    state: &State,
    actor: Actor,
    context: &Context,
) -> Option<ChangeSet> {
    let subdomains = state.tenant.subdomains.as_ref()?;
    if subdomains.held.is_none() && subdomains.reservation.is_none() {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    changes.release_subdomains(context);
    changes.note(actor, AuditAction::ReleaseAddress, None, context);
    Some(changes)
}

/// Decides what home's answer changes: nothing where it answers something that is over.
///
/// A leased subdomain that is kept free for another tenant of the region is asked for again: home has
/// refused, or will refuse, the other one.
#[must_use]
pub fn decide_reservation_answer(
    state: &State,
    decided: &SubdomainReservationDecided,
    in_use: SubdomainUse,
    context: &Context,
) -> Option<ChangeSet> {
    let open = state
        .tenant
        .subdomains
        .as_ref()
        .and_then(Subdomains::open_reservation);
    let reservation = open.filter(|reservation| {
        reservation.digest == decided.digest && reservation.revision == decided.revision
    })?;
    let mut changes = ChangeSet::of(state);
    match (reservation.state, decided.decision, in_use) {
        (ReservationState::Requesting, ReservationDecision::Leased, SubdomainUse::Free) => {
            changes.reserve_subdomain(reservation, context)
        }
        (ReservationState::Requesting, ReservationDecision::Leased, SubdomainUse::Leading) => {
            changes.publish_reservation(&reservation.digest, ReservationPhase::Released, context);
            changes.refuse_subdomain(reservation, context);
        }
        (ReservationState::Confirming, ReservationDecision::Confirmed, _) => {
            changes.hold_subdomain(reservation, context)
        }
        (_, ReservationDecision::Refused, _) => changes.refuse_subdomain(reservation, context),
        _ => return None,
    }
    Some(changes)
}

/// Home has not answered: it is asked once more. An answer to what was asked before counts no
/// longer, since home may have given the subdomain to somebody in between.
pub(crate) fn decide_asking(
    state: &State,
    due: &ScheduledTask,
    context: &Context,
) -> Option<ChangeSet> {
    let open = state
        .tenant
        .subdomains
        .as_ref()
        .and_then(Subdomains::open_reservation);
    let reservation = open.filter(|reservation| reservation.ask_at == due.at)?;
    let mut changes = ChangeSet::of(state);
    let revision = changes.publish_reservation(&reservation.digest, reservation.phase(), context);
    changes.confirm_reservation(SubdomainReservation {
        revision,
        ask_at: after(context.now, ASK_AGAIN),
        ..reservation.clone()
    });
    Some(changes)
}

impl ChangeSet {
    /// Gives up every subdomain, and every reservation to one.
    pub(crate) fn release_subdomains(&mut self, context: &Context) {
        self.release_reservation(context);
        let held = self
            .tenant
            .subdomains
            .as_mut()
            .and_then(|subdomains| subdomains.held.take());
        if let Some(held) = held {
            self.give_up_subdomain(held, context);
            self.publish_address(context);
        }
    }

    fn release_reservation(&mut self, context: &Context) {
        let reservation = self
            .tenant
            .subdomains
            .as_mut()
            .and_then(|subdomains| subdomains.reservation.take());
        if let Some(reservation) = reservation.filter(SubdomainReservation::is_open) {
            self.done.push(reservation.due(self.tenant.id));
            self.publish_reservation(&reservation.digest, ReservationPhase::Released, context);
        }
    }

    fn give_up_subdomain(&mut self, held: ActiveSubdomain, context: &Context) {
        self.publish_reservation(&held.digest, ReservationPhase::Released, context);
        self.subdomains().retire(held.subdomain, context.now);
    }

    fn request_subdomain(
        &mut self,
        subdomain: &CustomSubdomain,
        digest: &SubdomainDigest,
        context: &Context,
    ) {
        let revision = self.publish_reservation(digest, ReservationPhase::Requested, context);
        let (subdomain, digest) = (subdomain.clone(), digest.clone());
        let (state, requested_at) = (ReservationState::Requesting, context.now);
        let ask_at = after(context.now, ASK_AGAIN);
        self.confirm_reservation(SubdomainReservation {
            subdomain,
            digest,
            state,
            revision,
            requested_at,
            ask_at,
        });
    }

    fn reserve_subdomain(&mut self, reservation: &SubdomainReservation, context: &Context) {
        self.done.push(reservation.due(self.tenant.id));
        let revision =
            self.publish_reservation(&reservation.digest, ReservationPhase::Confirmed, context);
        let (state, ask_at) = (ReservationState::Confirming, after(context.now, ASK_AGAIN));
        self.confirm_reservation(SubdomainReservation {
            state,
            revision,
            ask_at,
            ..reservation.clone()
        });
    }

    fn hold_subdomain(&mut self, reservation: &SubdomainReservation, context: &Context) {
        self.done.push(reservation.due(self.tenant.id));
        let SubdomainReservation {
            subdomain, digest, ..
        } = reservation.clone();
        let subdomains = self.subdomains();
        subdomains.reservation = None;
        subdomains
            .former
            .retain(|former| former.subdomain != subdomain);
        let before = subdomains.held.replace(ActiveSubdomain {
            subdomain,
            digest,
            since: context.now,
        });
        if let Some(before) = before {
            self.give_up_subdomain(before, context);
        }
        self.publish_address(context);
        self.note(
            Actor::Operator,
            AuditAction::ChangeAddress,
            Some("active".to_owned()),
            context,
        );
    }

    fn refuse_subdomain(&mut self, reservation: &SubdomainReservation, context: &Context) {
        self.done.push(reservation.due(self.tenant.id));
        self.subdomains().reservation = Some(SubdomainReservation {
            state: ReservationState::Refused,
            ..reservation.clone()
        });
        self.note(
            Actor::Operator,
            AuditAction::ChangeAddress,
            Some("refused".to_owned()),
            context,
        );
    }

    fn confirm_reservation(&mut self, reservation: SubdomainReservation) {
        self.due.push(reservation.due(self.tenant.id));
        self.subdomains().reservation = Some(reservation);
    }

    fn subdomains(&mut self) -> &mut Subdomains {
        self.tenant.subdomains.get_or_insert_default()
    }

    /// Publishes a phase under the next revision, which it returns.
    fn publish_reservation(
        &mut self,
        digest: &SubdomainDigest,
        phase: ReservationPhase,
        context: &Context,
    ) -> u64 {
        let tenant = self.tenant.id;
        let subdomains = self.subdomains();
        subdomains.revision += 1;
        let revision = subdomains.revision;
        self.events.push(TenantEvent::Subdomains(Envelope {
            id: context.event_of(&format!("subdomains:{revision}")),
            region: context.region.clone(),
            stream: Stream::Tenant(tenant),
            sequence: revision,
            occurred_at: context.now,
            data: SubdomainReservationUpdated {
                tenant,
                digest: digest.clone(),
                phase,
                revision,
            },
        }));
        revision
    }

    /// Publishes that another subdomain leads to the tenant from now on, or none.
    fn publish_address(&mut self, context: &Context) {
        let subdomains = self.subdomains();
        subdomains.revision += 1;
        let revision = subdomains.revision;
        let (tenant, alias) = (self.tenant.id, self.tenant.alias.clone());
        self.events.push(TenantEvent::Address(Envelope {
            id: context.event_of(&format!("address:{revision}")),
            region: context.region.clone(),
            stream: Stream::Tenant(tenant),
            sequence: revision,
            occurred_at: context.now,
            data: TenantAddressChanged {
                tenant,
                alias,
                revision,
            },
        }));
    }
}
