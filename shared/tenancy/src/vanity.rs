//! A tenant's readable label, unique in the whole fleet: claimed through home in two phases.
//!
//! The region asks, and home leases the label. The region keeps it free for the tenant and
//! confirms, and home makes the claim permanent. Only then does the label lead to the tenant. Home
//! knows a label by a keyed digest alone. What is lost on the way is asked for again, as another
//! question: an answer names the revision of what it answers, and only the one to the latest
//! question counts.

use crate::label::VanityLabel;
use crate::outcome::{Outcome, State, Statement};
use crate::settings::after;
use crate::{Actor, AuditAction, Due, DueKind, Occasion, Refusal, Tenant};
use contract::application::TenantAddressChanged;
use contract::{ClaimDecision, ClaimPhase, Envelope, Stream, VanityClaimed, VanityDecided};
use jiff::SignedDuration;
use kernel::{ClaimDigest, TenantId, TenantStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How soon home is asked again. A lease lasts long enough for two more questions.
pub const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// How long a label is remembered that no longer leads to the tenant, so that its record goes. Home
/// gives it to nobody else for longer than that.
const FORMER_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many of them are remembered.
const FORMER_MAX: usize = 10;
/// How long it takes at most to remove the records of a closed tenant's labels: until then they are
/// not erased.
const RECORDS_REMOVED: SignedDuration = SignedDuration::from_mins(15);

/// What a tenant has of readable labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vanity {
    /// Grows with everything that home is told of a claim, and with every change of the label in
    /// use.
    pub revision: u64,
    /// The label that leads to the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldLabel>,
    /// The claim that is under way, or was refused last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<LabelClaim>,
    /// Labels that led to the tenant until a short while ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerLabel>,
}

/// A label that leads to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLabel {
    /// The label.
    pub label: VanityLabel,
    /// What home knows it by.
    pub claim: ClaimDigest,
    /// Since when.
    pub since: Timestamp,
}

/// A label that led to the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerLabel {
    /// The label.
    pub label: VanityLabel,
    /// Until when.
    pub until: Timestamp,
}

/// A claim to a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelClaim {
    /// The label.
    pub label: VanityLabel,
    /// What home knows it by.
    pub claim: ClaimDigest,
    /// How far it is.
    pub state: ClaimState,
    /// The revision of what home was asked last.
    pub revision: u64,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When home is asked again.
    pub ask_at: Timestamp,
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClaimState {
    /// Home is asked for the label.
    Claiming,
    /// The label is kept free for the tenant, and home is asked to make that permanent.
    Confirming,
    /// Somebody else has it, or had it a short while ago.
    Refused,
}

/// What a label is in the region apart from the tenant that claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelUse {
    /// Nothing.
    Free,
    /// Kept free for another tenant.
    Reserved,
    /// The label of another tenant.
    Leading,
}

impl LabelClaim {
    /// Whether home has not decided yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, ClaimState::Claiming | ClaimState::Confirming)
    }

    const fn phase(&self) -> ClaimPhase {
        match self.state {
            ClaimState::Confirming => ClaimPhase::Confirmed,
            ClaimState::Claiming | ClaimState::Refused => ClaimPhase::Requested,
        }
    }

    const fn due(&self, tenant: TenantId) -> Due {
        Due {
            at: self.ask_at,
            kind: DueKind::Vanity,
            tenant,
        }
    }
}

impl Vanity {
    /// The claim that home has not decided on.
    #[must_use]
    pub fn open_claim(&self) -> Option<&LabelClaim> {
        self.claim.as_ref().filter(|claim| claim.is_open())
    }

    fn retire(&mut self, label: VanityLabel, now: Timestamp) {
        self.former
            .retain(|former| former.label != label && after(former.until, FORMER_KEPT) > now);
        self.former.push(FormerLabel { label, until: now });
        let excess = self.former.len().saturating_sub(FORMER_MAX);
        self.former.drain(..excess);
    }
}

impl Tenant {
    /// The readable label that leads to the tenant.
    #[must_use]
    pub fn vanity_label(&self) -> Option<&VanityLabel> {
        self.vanity.as_ref()?.held.as_ref().map(|held| &held.label)
    }

    /// The labels that led to the tenant until a short while ago: whoever made a record of one
    /// removes it now.
    pub fn former_labels(&self, now: Timestamp) -> impl Iterator<Item = &VanityLabel> {
        let former = self.vanity.iter().flat_map(|vanity| &vanity.former);
        former
            .filter(move |former| after(former.until, FORMER_KEPT) > now)
            .map(|former| &former.label)
    }

    /// For how long the labels of a tenant that ends now have to be known.
    pub(crate) fn labels_needed_for(&self, now: Timestamp) -> SignedDuration {
        if self.former_labels(now).next().is_some() {
            RECORDS_REMOVED
        } else {
            SignedDuration::ZERO
        }
    }
}

/// Decides that a tenant claims a label. One that it has, keeps or claims already is not claimed
/// again, and another claim under way is given up. The label in use stays in use until home has
/// confirmed the new one.
///
/// # Errors
/// When the tenant is not in use.
pub fn decide_address_claim(
    state: &State,
    label: &VanityLabel,
    claim: &ClaimDigest,
    actor: Actor,
    occasion: &Occasion,
) -> Result<Option<Outcome>, Refusal> {
    let tenant = &state.tenant;
    if tenant.status != TenantStatus::Active {
        return Err(Refusal::NotFromHere {
            status: tenant.status,
        });
    }
    let is_held = tenant.vanity_label() == Some(label);
    let pending = tenant
        .vanity
        .as_ref()
        .and_then(|vanity| vanity.claim.as_ref());
    let is_claimed = pending.is_some_and(|pending| pending.is_open() && pending.label == *label);
    if is_claimed || (is_held && pending.is_none()) {
        return Ok(None);
    }
    let mut outcome = Outcome::of(state);
    outcome.give_up_claim(occasion);
    if !is_held {
        outcome.claim_label(label, claim, occasion);
    }
    outcome.note(actor, AuditAction::ClaimAddress, None, occasion);
    Ok(Some(outcome))
}

/// Decides that a tenant gives up its label, and any that it claims. Nothing changes where it has
/// none.
#[must_use]
pub fn decide_address_release(state: &State, actor: Actor, occasion: &Occasion) -> Option<Outcome> {
    let vanity = state.tenant.vanity.as_ref()?;
    if vanity.held.is_none() && vanity.claim.is_none() {
        return None;
    }
    let mut outcome = Outcome::of(state);
    outcome.release_labels(occasion);
    outcome.note(actor, AuditAction::ReleaseAddress, None, occasion);
    Some(outcome)
}

/// Decides what home's answer changes: nothing where it answers something that is over.
///
/// A leased label that is kept free for another tenant of the region is asked for again: home has
/// refused, or will refuse, the other one.
#[must_use]
pub fn decide_claim_decision(
    state: &State,
    decided: &VanityDecided,
    in_use: LabelUse,
    occasion: &Occasion,
) -> Option<Outcome> {
    let open = state.tenant.vanity.as_ref().and_then(Vanity::open_claim);
    let claim =
        open.filter(|claim| claim.claim == decided.claim && claim.revision == decided.revision)?;
    let mut outcome = Outcome::of(state);
    match (claim.state, decided.decision, in_use) {
        (ClaimState::Claiming, ClaimDecision::Leased, LabelUse::Free) => {
            outcome.reserve_label(claim, occasion)
        }
        (ClaimState::Claiming, ClaimDecision::Leased, LabelUse::Leading) => {
            outcome.state_claim(&claim.claim, ClaimPhase::Released, occasion);
            outcome.refuse_label(claim, occasion);
        }
        (ClaimState::Confirming, ClaimDecision::Confirmed, _) => {
            outcome.hold_label(claim, occasion)
        }
        (_, ClaimDecision::Refused, _) => outcome.refuse_label(claim, occasion),
        _ => return None,
    }
    Some(outcome)
}

/// Home has not answered: it is asked once more. An answer to what was asked before counts no
/// longer, since home may have given the label to somebody in between.
pub(crate) fn decide_asking(state: &State, due: &Due, occasion: &Occasion) -> Option<Outcome> {
    let open = state.tenant.vanity.as_ref().and_then(Vanity::open_claim);
    let claim = open.filter(|claim| claim.ask_at == due.at)?;
    let mut outcome = Outcome::of(state);
    let revision = outcome.state_claim(&claim.claim, claim.phase(), occasion);
    outcome.keep_claim(LabelClaim {
        revision,
        ask_at: after(occasion.now, ASK_AGAIN),
        ..claim.clone()
    });
    Some(outcome)
}

impl Outcome {
    /// Gives up every label, and every claim to one.
    pub(crate) fn release_labels(&mut self, occasion: &Occasion) {
        self.give_up_claim(occasion);
        let held = self
            .tenant
            .vanity
            .as_mut()
            .and_then(|vanity| vanity.held.take());
        if let Some(held) = held {
            self.give_up_label(held, occasion);
            self.state_address(occasion);
        }
    }

    fn give_up_claim(&mut self, occasion: &Occasion) {
        let claim = self
            .tenant
            .vanity
            .as_mut()
            .and_then(|vanity| vanity.claim.take());
        if let Some(claim) = claim.filter(LabelClaim::is_open) {
            self.done.push(claim.due(self.tenant.id));
            self.state_claim(&claim.claim, ClaimPhase::Released, occasion);
        }
    }

    fn give_up_label(&mut self, held: HeldLabel, occasion: &Occasion) {
        self.state_claim(&held.claim, ClaimPhase::Released, occasion);
        self.vanity().retire(held.label, occasion.now);
    }

    fn claim_label(&mut self, label: &VanityLabel, claim: &ClaimDigest, occasion: &Occasion) {
        let revision = self.state_claim(claim, ClaimPhase::Requested, occasion);
        let (label, claim) = (label.clone(), claim.clone());
        let (state, requested_at) = (ClaimState::Claiming, occasion.now);
        let ask_at = after(occasion.now, ASK_AGAIN);
        self.keep_claim(LabelClaim {
            label,
            claim,
            state,
            revision,
            requested_at,
            ask_at,
        });
    }

    fn reserve_label(&mut self, claim: &LabelClaim, occasion: &Occasion) {
        self.done.push(claim.due(self.tenant.id));
        let revision = self.state_claim(&claim.claim, ClaimPhase::Confirmed, occasion);
        let (state, ask_at) = (ClaimState::Confirming, after(occasion.now, ASK_AGAIN));
        self.keep_claim(LabelClaim {
            state,
            revision,
            ask_at,
            ..claim.clone()
        });
    }

    fn hold_label(&mut self, claim: &LabelClaim, occasion: &Occasion) {
        self.done.push(claim.due(self.tenant.id));
        let LabelClaim { label, claim, .. } = claim.clone();
        let vanity = self.vanity();
        vanity.claim = None;
        vanity.former.retain(|former| former.label != label);
        let before = vanity.held.replace(HeldLabel {
            label,
            claim,
            since: occasion.now,
        });
        if let Some(before) = before {
            self.give_up_label(before, occasion);
        }
        self.state_address(occasion);
        self.note(
            Actor::Operator,
            AuditAction::ChangeAddress,
            Some("active".to_owned()),
            occasion,
        );
    }

    fn refuse_label(&mut self, claim: &LabelClaim, occasion: &Occasion) {
        self.done.push(claim.due(self.tenant.id));
        self.vanity().claim = Some(LabelClaim {
            state: ClaimState::Refused,
            ..claim.clone()
        });
        self.note(
            Actor::Operator,
            AuditAction::ChangeAddress,
            Some("refused".to_owned()),
            occasion,
        );
    }

    fn keep_claim(&mut self, claim: LabelClaim) {
        self.due.push(claim.due(self.tenant.id));
        self.vanity().claim = Some(claim);
    }

    fn vanity(&mut self) -> &mut Vanity {
        self.tenant.vanity.get_or_insert_default()
    }

    /// States a phase under the next revision, which it returns.
    fn state_claim(&mut self, claim: &ClaimDigest, phase: ClaimPhase, occasion: &Occasion) -> u64 {
        let tenant = self.tenant.id;
        let vanity = self.vanity();
        vanity.revision += 1;
        let revision = vanity.revision;
        self.statements.push(Statement::Vanity(Envelope {
            id: occasion.event_of(&format!("vanity:{revision}")),
            region: occasion.region.clone(),
            stream: Stream::Tenant(tenant),
            sequence: revision,
            occurred_at: occasion.now,
            data: VanityClaimed {
                tenant,
                claim: claim.clone(),
                phase,
                revision,
            },
        }));
        revision
    }

    /// States that another label leads to the tenant from now on, or none.
    fn state_address(&mut self, occasion: &Occasion) {
        let vanity = self.vanity();
        vanity.revision += 1;
        let revision = vanity.revision;
        let (tenant, alias) = (self.tenant.id, self.tenant.alias.clone());
        self.statements.push(Statement::Address(Envelope {
            id: occasion.event_of(&format!("address:{revision}")),
            region: occasion.region.clone(),
            stream: Stream::Tenant(tenant),
            sequence: revision,
            occurred_at: occasion.now,
            data: TenantAddressChanged {
                tenant,
                alias,
                revision,
            },
        }));
    }
}
