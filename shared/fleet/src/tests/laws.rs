//! The order of arrival does not matter, a replay changes nothing, and the counts are always right.

use super::fixtures::{Step, content, decide, run};
use crate::{Counts, count_change};
use kernel::{RegionCode, TenantStatus};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The life that a tenant's region states, in the order of its revisions; it moves once.
fn life() -> impl Strategy<Value = Vec<Step>> {
    let statement = (prop::sample::select(TenantStatus::ALL.to_vec()), prop::sample::select(vec!["starter", "pro"]));
    (prop::collection::vec(statement, 1..7), 0_usize..8).prop_map(|(statements, moves_at)| {
        let numbered = statements.into_iter().enumerate();
        numbered
            .map(|(position, (status, plan))| {
                let place = if position < moves_at { "eu" } else { "us" };
                Step::Stated(place, position as u64 + 1, status, plan)
            })
            .collect()
    })
}

/// A life with each statement once or more, in any order, and acknowledgements and sweeps between.
fn delivery() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let noise = prop_oneof![
        (prop::sample::select(vec!["eu", "us"]), 1_u64..6)
            .prop_map(|(place, version)| Step::Acknowledged(place, version)),
        (0_i64..20_000).prop_map(Step::Swept),
    ];
    (life(), prop::collection::vec(noise, 0..12)).prop_flat_map(|(life, noise)| {
        let delivered = [life.clone(), life.clone(), noise].concat();
        (Just(life), Just(delivered).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn the_order_of_statements_does_not_matter((life, delivered) in delivery()) {
        let in_order = run(&life).unwrap();
        let seen = run(&delivered).unwrap();
        prop_assert_eq!(&seen.entry, &in_order.entry);
        prop_assert_eq!(content(&seen.policy), content(&in_order.policy));
        prop_assert_eq!(&seen.policy.region, &seen.entry.region);
    }

    #[test]
    fn a_replay_changes_nothing((_, delivered) in delivery()) {
        let mut current = None;
        for step in &delivered {
            let Ok(Some(after)) = decide(current.as_ref(), step) else { continue };
            prop_assert_eq!(decide(Some(&after), step).ok().flatten(), None);
            current = Some(after);
        }
    }

    #[test]
    fn versions_and_revisions_only_grow((_, delivered) in delivery()) {
        let mut current = None;
        for step in &delivered {
            let Ok(Some(after)) = decide(current.as_ref(), step) else { continue };
            if let Some(before) = &current {
                let policy_changed = before.policy != after.policy;
                prop_assert!(after.policy.policy.version >= before.policy.policy.version);
                prop_assert!(after.policy.revision == before.policy.revision + u64::from(policy_changed));
                let same_content = content(&before.policy) == content(&after.policy);
                prop_assert!(same_content || after.policy.policy.version > before.policy.policy.version);
            }
            current = Some(after);
        }
    }

    #[test]
    fn added_changes_make_the_counts((_, delivered) in delivery()) {
        let mut kept: BTreeMap<RegionCode, Counts> = BTreeMap::new();
        let mut current = None;
        for step in &delivered {
            let Ok(Some(after)) = decide(current.as_ref(), step) else { continue };
            for counted in count_change(current.as_ref(), &after) {
                let counts = kept.entry(counted.region).or_default();
                *counts = *counts + counted.change;
            }
            current = Some(after);
        }
        let tenant = current.unwrap();
        for (region, counts) in kept {
            let expected = if region == tenant.entry.region { Counts::of(&tenant) } else { Counts::default() };
            prop_assert_eq!(counts, expected);
        }
    }
}
