//! A tenant's custom subdomain, unique in the whole fleet and reserved through home in two phases.
//!
//! The region requests the subdomain, and home leases it. The region reserves it for the tenant and
//! confirms, and home makes the reservation permanent. Only then does the subdomain resolve to the
//! tenant. Home knows only a keyed digest of it. A lost message is made up for by a new request:
//! each answer names the revision of its request, and only an answer to the latest request counts.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, State, TenantEvent};
use crate::custom_subdomain::CustomSubdomain;
use crate::settings::after;
use crate::task::{ScheduledTask, TaskKind};
use crate::tenant::{Context, Refusal, Tenant};
use contract::application::TenantAddressChanged;
use contract::{
    Envelope, ReservationDecision, ReservationPhase, Stream, SubdomainReservationDecided,
    SubdomainReservationUpdated,
};
use jiff::SignedDuration;
use kernel::{SubdomainDigest, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The interval between requests to home. It is short enough that two repetitions fit into a lease.
pub const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// How long a former subdomain is stored, so that its DNS record can be removed. Home gives the
/// subdomain to nobody else for longer than that.
const FORMER_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most former subdomains that are stored.
const FORMER_MAX: usize = 10;
/// The longest time that it takes to remove the DNS records of a closed tenant. Its former
/// subdomains are not erased before.
const RECORDS_REMOVED: SignedDuration = SignedDuration::from_mins(15);

/// A tenant's custom subdomains: the active, the reserved and the former ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subdomains {
    /// Grows by one with every published reservation event and every change of the active
    /// subdomain.
    pub revision: u64,
    /// The subdomain that resolves to the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<ActiveSubdomain>,
    /// The pending reservation, or the one that was refused last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<SubdomainReservation>,
    /// Subdomains that resolved to the tenant until recently.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerSubdomain>,
}

/// A subdomain that resolves to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSubdomain {
    /// The subdomain.
    pub subdomain: CustomSubdomain,
    /// The digest by which home knows it.
    pub digest: SubdomainDigest,
    /// When it became active.
    pub since: Timestamp,
}

/// A subdomain that resolved to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerSubdomain {
    /// The subdomain.
    pub subdomain: CustomSubdomain,
    /// When it was released.
    pub until: Timestamp,
}

/// A reservation of a subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubdomainReservation {
    /// The subdomain.
    pub subdomain: CustomSubdomain,
    /// The digest by which home knows it.
    pub digest: SubdomainDigest,
    /// How far it is.
    pub state: ReservationState,
    /// The revision of the last request to home.
    pub revision: u64,
    /// When the tenant requested it.
    pub requested_at: Timestamp,
    /// When the request to home is repeated.
    pub ask_at: Timestamp,
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReservationState {
    /// The request is sent to home.
    Requesting,
    /// The subdomain is reserved for the tenant in the region, and home is asked to make that
    /// permanent.
    Confirming,
    /// Another tenant has it, or had it until recently.
    Refused,
}

/// The use of a subdomain by other tenants of the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubdomainUse {
    /// No other tenant uses it.
    Free,
    /// Reserved for another tenant.
    Reserved,
    /// The active subdomain of another tenant.
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
    /// The reservation on which home has not decided yet.
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
        // The oldest ones are dropped first.
        let excess = self.former.len().saturating_sub(FORMER_MAX);
        self.former.drain(..excess);
    }
}

impl Tenant {
    /// The custom subdomain that resolves to the tenant.
    #[must_use]
    pub fn custom_subdomain(&self) -> Option<&CustomSubdomain> {
        self.subdomains
            .as_ref()?
            .held
            .as_ref()
            .map(|held| &held.subdomain)
    }

    /// The former subdomains whose DNS records are to be removed.
    pub fn former_subdomains(&self, now: Timestamp) -> impl Iterator<Item = &CustomSubdomain> {
        let former = self
            .subdomains
            .iter()
            .flat_map(|subdomains| &subdomains.former);
        former
            .filter(move |former| after(former.until, FORMER_KEPT) > now)
            .map(|former| &former.subdomain)
    }

    /// How long the subdomains of a tenant that is closed now have to be retained.
    pub(crate) fn subdomains_needed_for(&self, now: Timestamp) -> SignedDuration {
        if self.former_subdomains(now).next().is_some() {
            RECORDS_REMOVED
        } else {
            SignedDuration::ZERO
        }
    }
}

/// Requests a subdomain for a tenant, and releases another pending reservation. `None` if the
/// subdomain is active or requested already. The active subdomain stays active until home has
/// confirmed the new one.
///
/// # Errors
/// When the tenant is not active.
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

/// Releases a tenant's subdomain and its reservation. `None` if it has neither.
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

/// Decides the changes that an answer of home makes. `None` if it does not answer the latest
/// request.
///
/// If the region still reserves a leased subdomain for another tenant, nothing changes and the
/// scheduled task asks home again: home has refused, or will refuse, the other tenant.
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
        // Releases the lease, since the region cannot give the subdomain to this tenant.
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

/// Repeats the request to home under a new revision. An answer to an earlier request no longer
/// counts, since home may have given the subdomain to another tenant in between.
pub(crate) fn decide_repeated_request(
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
    changes.set_reservation(SubdomainReservation {
        revision,
        ask_at: after(context.now, ASK_AGAIN),
        ..reservation.clone()
    });
    Some(changes)
}

impl ChangeSet {
    /// Releases the active subdomain and the reservation.
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
        self.set_reservation(SubdomainReservation {
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
        self.set_reservation(SubdomainReservation {
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
        // The earlier subdomain is released only now, when the new one resolves.
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

    fn set_reservation(&mut self, reservation: SubdomainReservation) {
        self.due.push(reservation.due(self.tenant.id));
        self.subdomains().reservation = Some(reservation);
    }

    fn subdomains(&mut self) -> &mut Subdomains {
        self.tenant.subdomains.get_or_insert_default()
    }

    /// Publishes a reservation event under the next revision, which it returns.
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

    /// Publishes that the active subdomain of the tenant changed or was released.
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
