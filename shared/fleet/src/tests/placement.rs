use crate::placement::{Candidate, Placement, PlacementRefusal, decide_placement};
use contract::RegionDescribed;
use kernel::{Location, Mode};
use proptest::prelude::*;

const FRANKFURT: &str = "50.11,8.68";
const VIRGINIA: &str = "38.95,-77.45";
const OREGON: &str = "45.84,-119.70";

fn candidate(region: &str, jurisdiction: &str, location: Option<&str>) -> Candidate {
    Candidate {
        region: region.parse().unwrap(),
        described: RegionDescribed {
            name: "Somewhere".parse().unwrap(),
            jurisdiction: jurisdiction.parse().unwrap(),
            mode: Mode::Shared,
            signup_url: format!("https://{region}.example.com").parse().unwrap(),
            accepts_new_tenants: true,
            capacity_tenants: None,
            location: location.map(|location| location.parse().unwrap()),
        },
        tenants: 0,
        is_reporting: true,
    }
}

fn with(candidate: Candidate, change: impl FnOnce(&mut Candidate)) -> Candidate {
    let mut changed = candidate;
    change(&mut changed);
    changed
}

fn fleet() -> [Candidate; 3] {
    [
        candidate("us-east-1", "us", Some(VIRGINIA)),
        candidate("us-west-2", "us", Some(OREGON)),
        with(candidate("eu-central-1", "eu", Some(FRANKFURT)), |eu| {
            eu.described.mode = Mode::Regional
        }),
    ]
}

fn in_region(code: &str) -> Placement {
    Placement::Region(code.parse().unwrap())
}

fn under(jurisdiction: &str) -> Placement {
    Placement::Jurisdiction(jurisdiction.parse().unwrap())
}

fn near(place: &str) -> Placement {
    Placement::NearestTo(place.parse().unwrap())
}

fn check(placement: &Placement, candidates: &[Candidate], expected: &str) {
    let seen = match decide_placement(placement, candidates) {
        Ok(chosen) => chosen.region.to_string(),
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(seen, expected, "{placement:?} among {candidates:?}");
}

#[test]
fn a_named_region_is_chosen_even_if_it_is_silent_or_full() {
    check(&in_region("us-west-2"), &fleet(), "us-west-2");
    check(
        &in_region("sa-east-1"),
        &fleet(),
        "there is no region sa-east-1",
    );
    check(
        &in_region("eu-central-1"),
        &fleet(),
        "region eu-central-1 does not permit central onboarding",
    );
    let refusal = decide_placement(&in_region("eu-central-1"), &fleet()).unwrap_err();
    let signup_url = "https://eu-central-1.example.com".parse().unwrap();
    let region = "eu-central-1".parse().unwrap();
    assert_eq!(
        refusal,
        PlacementRefusal::ForbidsCentralOnboarding {
            region,
            mode: Mode::Regional,
            signup_url
        }
    );

    let [virginia, ..] = fleet();
    let silent = with(virginia.clone(), |region| region.is_reporting = false);
    check(&in_region("us-east-1"), &[silent], "us-east-1");
    let full = with(virginia.clone(), |region| {
        region.described.capacity_tenants = Some(0)
    });
    check(&in_region("us-east-1"), &[full], "us-east-1");
    let closed = with(virginia, |region| {
        region.described.accepts_new_tenants = false
    });
    check(
        &in_region("us-east-1"),
        &[closed],
        "region us-east-1 accepts no new tenants",
    );
}

#[test]
fn a_jurisdiction_selects_the_region_with_the_most_room() {
    let none = "no suitable region accepts new tenants now";
    check(&under("us"), &fleet(), "us-east-1");
    check(&under("eu"), &fleet(), none);
    check(&under("in"), &fleet(), none);
    let us = |change: fn(&mut Candidate, &mut Candidate)| {
        let [mut virginia, mut oregon, _] = fleet();
        change(&mut virginia, &mut oregon);
        [virginia, oregon]
    };
    check(
        &under("us"),
        &us(|virginia, _| virginia.tenants = 1),
        "us-west-2",
    );
    check(
        &under("us"),
        &us(|virginia, _| virginia.described.capacity_tenants = Some(1000)),
        "us-west-2",
    );
    let bounded = us(|virginia, oregon| {
        (virginia.described.capacity_tenants, virginia.tenants) = (Some(100), 91);
        (oregon.described.capacity_tenants, oregon.tenants) = (Some(10), 0);
    });
    check(&under("us"), &bounded, "us-west-2");
    let full = us(|virginia, oregon| {
        (virginia.described.capacity_tenants, virginia.tenants) = (Some(5), 5);
        (oregon.described.capacity_tenants, oregon.tenants) = (Some(5), 9);
    });
    check(&under("us"), &full, none);
    check(
        &under("us"),
        &us(|virginia, _| virginia.is_reporting = false),
        "us-west-2",
    );
    check(
        &under("us"),
        &us(|virginia, _| virginia.described.accepts_new_tenants = false),
        "us-west-2",
    );
    check(
        &under("us"),
        &us(|virginia, _| virginia.described.mode = Mode::Sovereign),
        "us-west-2",
    );
}

#[test]
fn a_location_selects_the_nearest_eligible_region() {
    let san_francisco = near("37.77,-122.42");
    check(&san_francisco, &fleet(), "us-west-2");
    check(&near("52.52,13.40"), &fleet(), "us-east-1");
    // Across the 180th meridian.
    check(&near("51.9,179.9"), &fleet(), "us-west-2");
    let [virginia, oregon, _] = fleet();
    let nowhere = with(oregon.clone(), |region| region.described.location = None);
    check(&san_francisco, &[virginia.clone(), nowhere], "us-east-1");
    let full = with(oregon.clone(), |region| {
        region.described.capacity_tenants = Some(0)
    });
    check(&san_francisco, &[virginia, full], "us-east-1");
    let beside = with(oregon.clone(), |region| {
        region.region = "us-west-1".parse().unwrap()
    });
    check(&san_francisco, &[oregon, beside], "us-west-1");
    check(
        &san_francisco,
        &[],
        "no suitable region accepts new tenants now",
    );
}

proptest! {
    #[test]
    fn the_order_of_regions_does_not_matter_and_no_full_one_is_chosen(
        regions in prop::collection::vec((0_u64..4, prop::option::of(0_u64..4), any::<bool>(), -90_i32..90), 1..6),
        place in -90_i32..90,
    ) {
        let mut candidates: Vec<Candidate> = regions.iter().zip(1..).map(|((tenants, capacity, is_reporting, north), n)| {
            with(candidate(&format!("us-east-{n}"), "us", Some(&format!("{north},10"))), |region| {
                (region.tenants, region.described.capacity_tenants, region.is_reporting) = (*tenants, *capacity, *is_reporting);
            })
        }).collect();
        for placement in [under("us"), Placement::NearestTo(Location::from_degrees(f64::from(place), 10.0).unwrap())] {
            let chosen = decide_placement(&placement, &candidates).cloned();
            if let Ok(chosen) = &chosen {
                prop_assert!(chosen.is_reporting);
                prop_assert!(chosen.described.capacity_tenants.is_none_or(|capacity| chosen.tenants < capacity));
            }
            candidates.reverse();
            prop_assert_eq!(decide_placement(&placement, &candidates).cloned(), chosen);
        }
    }
}
