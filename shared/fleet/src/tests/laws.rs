//! The order of arrival does not matter, a replay changes nothing, and the counts are always right.

use super::fixtures::{Step, content, decide, deliver, run};
use crate::counts::{Counts, count_change};
use crate::policy::SuspensionChange;
use kernel::{RegionCode, Suspension, TenantStatus};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn any_plan() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["starter", "pro", "enterprise"])
}

fn any_status() -> impl Strategy<Value = TenantStatus> {
    let open = |status: &TenantStatus| *status != TenantStatus::Closed;
    prop::sample::select(
        TenantStatus::ALL
            .into_iter()
            .filter(open)
            .collect::<Vec<_>>(),
    )
}

fn any_suspension() -> impl Strategy<Value = SuspensionChange> {
    let reasons = [Suspension::Operator, Suspension::Dunning];
    let changes = reasons.map(|reason| {
        [
            SuspensionChange::Suspend(reason),
            SuspensionChange::Lift(reason),
        ]
    });
    prop::sample::select(changes.concat())
}

/// The events of a tenant's region, in the order of their revisions: the tenant moves once and may
/// be closed. Then its requests in the last region, some for plans that are unknown or in another
/// currency.
fn life() -> impl Strategy<Value = Vec<Step>> {
    let statuses = (prop::collection::vec(any_status(), 1..7), any::<bool>());
    let asked = prop::collection::vec(
        prop_oneof![3 => any_plan(), 1 => Just("gold"), 1 => Just("pro-in")],
        0..4,
    );
    (statuses, 0_usize..8, asked).prop_map(|((mut statuses, is_closed), moves_at, asked)| {
        statuses.extend(is_closed.then_some(TenantStatus::Closed));
        let place = |position: usize| if position < moves_at { "eu" } else { "us" };
        let last = place(statuses.len() - 1);
        let state = |(position, status)| {
            Step::Published(place(position), position as u64 + 1, status, "starter")
        };
        let ask = |(position, plan)| Step::Requested(last, position as u64 + 1, plan);
        let published = statuses.into_iter().enumerate().map(state);
        published
            .chain(asked.into_iter().enumerate().map(ask))
            .collect()
    })
}

/// A history with each event once or more, in any order, with acknowledgements, polls and an
/// erasure in between.
fn delivery() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let noise = prop_oneof![
        (prop::sample::select(vec!["eu", "us"]), 1_u64..6)
            .prop_map(|(place, version)| Step::Acknowledged(place, version)),
        (0_i64..20_000).prop_map(Step::Polled),
    ];
    (life(), prop::collection::vec(noise, 0..12)).prop_flat_map(|(life, noise)| {
        let delivered = [life.clone(), life.clone(), noise].concat();
        (Just(life), Just(delivered).prop_shuffle())
    })
}

/// A delivery with home's own decisions in between.
fn history() -> impl Strategy<Value = Vec<Step>> {
    let decisions = prop::collection::vec(any_suspension().prop_map(Step::Suspension), 0..4);
    (
        delivery(),
        decisions,
        prop::sample::select(vec!["eu", "us"]),
    )
        .prop_map(|((_, delivered), decisions, place)| {
            [delivered, decisions, vec![Step::Erased(place, 7)]].concat()
        })
        .prop_shuffle()
}

proptest! {
    #[test]
    fn the_order_of_events_does_not_matter((life, delivered) in delivery(), suspension in any_suspension()) {
        let in_order = run(&life).unwrap();
        let seen = deliver(&delivered).unwrap();
        prop_assert_eq!(&seen.entry, &in_order.entry);
        prop_assert_eq!(&seen.policy.region, &seen.entry.region);
        prop_assert_eq!(seen.policy.is_retired, in_order.policy.is_retired);
        // Requests of a closed tenant no longer matter.
        if !seen.policy.is_retired {
            let decided = Step::Suspension(suspension);
            let after = |tenant| decide(Some(&tenant), &decided).unwrap().unwrap_or(tenant);
            let (seen, in_order) = (after(seen).policy, after(in_order).policy);
            prop_assert_eq!(content(&seen), content(&in_order));
            prop_assert_eq!(seen.plan_revision, in_order.plan_revision);
            prop_assert_eq!(seen.refused_plan, in_order.refused_plan);
        }
    }

    #[test]
    fn events_of_a_region_do_not_change_what_home_wants(
        history in history(), status in any_status(), plan in any_plan(), place in prop::sample::select(vec!["eu", "us"]),
    ) {
        let known = deliver(&history).unwrap();
        let published = Step::Published(place, known.entry.revision + 1, status, plan);
        let after = decide(Some(&known), &published).unwrap().unwrap();
        prop_assert_eq!(content(&after.policy), content(&known.policy));
        prop_assert_eq!(after.entry.erased_at, known.entry.erased_at);
    }

    #[test]
    fn nothing_is_sent_for_a_closed_tenant(history in history()) {
        let known = deliver(&history).unwrap();
        let closed = Step::Published("us", known.entry.revision + 1, TenantStatus::Closed, "starter");
        let mut current = decide(Some(&known), &closed).unwrap().unwrap();
        for step in history.iter().chain([&Step::Polled(1_000_000)]) {
            prop_assert!(!current.policy.is_waiting());
            let Ok(Some(after)) = decide(Some(&current), step) else { continue };
            prop_assert!(!after.policy.is_sent_after(Some(&current.policy)));
            current = after;
        }
    }

    #[test]
    fn a_replay_changes_nothing(history in history()) {
        let mut current = None;
        for step in &history {
            let Ok(Some(after)) = decide(current.as_ref(), step) else { continue };
            prop_assert_eq!(decide(Some(&after), step).ok().flatten(), None);
            current = Some(after);
        }
    }

    #[test]
    fn versions_and_revisions_only_grow(history in history()) {
        let mut current = None;
        for step in &history {
            let Ok(Some(after)) = decide(current.as_ref(), step) else { continue };
            if let Some(before) = &current {
                let policy_changed = before.policy != after.policy;
                prop_assert!(after.policy.policy.version >= before.policy.policy.version);
                prop_assert!(after.policy.generation.as_u64() == before.policy.generation.as_u64() + u64::from(policy_changed));
                let same_content = content(&before.policy) == content(&after.policy);
                prop_assert!(same_content || after.policy.policy.version > before.policy.policy.version);
            }
            current = Some(after);
        }
    }

    #[test]
    fn the_sum_of_changes_is_the_counts(history in history()) {
        let mut sums: BTreeMap<RegionCode, Counts> = BTreeMap::new();
        let mut current = None;
        for step in &history {
            let Ok(Some(after)) = decide(current.as_ref(), step) else { continue };
            for counted in count_change(current.as_ref(), &after) {
                let counts = sums.entry(counted.region).or_default();
                *counts = *counts + counted.change;
            }
            current = Some(after);
        }
        let tenant = current.unwrap();
        for (region, counts) in sums {
            let expected = if region == tenant.entry.region { Counts::of(&tenant) } else { Counts::default() };
            prop_assert_eq!(counts, expected);
        }
    }
}
