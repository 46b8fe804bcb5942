use super::fixtures::{Step as Happened, TENANT, at, run};
use crate::key::OnboardingKey;
use crate::onboarding::Onboarding;
use contract::{Step, StepName, StepState};
use kernel::TenantStatus;

const NAMES: [StepName; 6] = [
    StepName::Registration,
    StepName::Identity,
    StepName::Confirmation,
    StepName::Provisioning,
    StepName::Routing,
    StepName::Activation,
];

/// An onboarding whose steps are `-` waiting, `x` done, `!` failed.
fn onboarding(is_taken: bool, steps: &str) -> Onboarding {
    let id = "5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e11".parse().unwrap();
    let state = |mark| match mark {
        'x' => StepState::Done,
        '!' => StepState::Failed,
        _ => StepState::Waiting,
    };
    let steps = NAMES.into_iter().zip(steps.chars().map(state));
    Onboarding {
        tenant: is_taken.then(|| TENANT.parse().unwrap()),
        steps: steps
            .map(|(name, state)| Step {
                name,
                state,
                at: None,
                reason: None,
            })
            .collect(),
        ..Onboarding::new(id, "eu-central-1".parse().unwrap(), at(0))
    }
}

fn check(is_taken: bool, steps: &str, status: Option<TenantStatus>, expected: &str) {
    let tenant = status.and_then(|status| run(&[Happened::Published("eu", 1, status, "starter")]));
    let outlook = onboarding(is_taken, steps).outlook(tenant.as_ref().map(|tenant| &tenant.entry));
    assert_eq!(
        format!("{:?} {:?}", outlook.state, outlook.next),
        expected,
        "{is_taken} {steps} {status:?}"
    );
}

#[test]
fn the_state_follows_from_the_steps() {
    check(false, "", None, "Forwarding RepeatOnboarding");
    check(true, "", None, "Waiting FollowSignUp");
    check(true, "x-----", None, "Waiting RepeatOnboarding");
    check(true, "x!----", None, "Failed RepeatOnboarding");
    check(true, "xx----", None, "Waiting Confirm");
    check(true, "xx!---", None, "Failed FollowSignUp");
    check(true, "xxx---", None, "Waiting Wait");
    check(true, "xxx!--", None, "Failed FollowSignUp");
    check(true, "xxxxx-", None, "Waiting Wait");
    check(true, "xxxxxx", None, "Done SignIn");
}

#[test]
fn the_directory_only_decides_whether_the_tenant_is_closed() {
    check(
        true,
        "xx----",
        Some(TenantStatus::Pending),
        "Waiting Confirm",
    );
    check(
        true,
        "xxx---",
        Some(TenantStatus::Provisioning),
        "Waiting Wait",
    );
    check(true, "", Some(TenantStatus::Active), "Waiting FollowSignUp");
    check(true, "xxx---", Some(TenantStatus::Active), "Waiting Wait");
    check(
        true,
        "xxxxxx",
        Some(TenantStatus::Provisioning),
        "Done SignIn",
    );
    check(true, "xxxxxx", Some(TenantStatus::Active), "Done SignIn");
    check(true, "xxxxxx", Some(TenantStatus::Suspended), "Done SignIn");
    check(true, "xxxxxx", Some(TenantStatus::Closing), "Done SignIn");
    check(true, "xxxxxx", Some(TenantStatus::Closed), "Ended None");
    check(true, "xx----", Some(TenantStatus::Closed), "Ended None");
}

#[test]
fn the_handle_is_not_in_the_debug_output() {
    let onboarding = onboarding(true, "xx----");
    assert!(!format!("{onboarding:?}").contains(&onboarding.id.to_string()));
}

#[test]
fn a_key_expires_before_the_regions_key_and_before_the_onboarding() {
    let onboarding = onboarding(true, "xx----");
    assert_eq!(onboarding.key_expires_at(), at(6 * 86_400));
    assert_eq!(onboarding.expires_at(), at(90 * 86_400));
}

#[test]
fn a_key_has_one_digest_here_and_another_one_in_the_region() {
    let key: OnboardingKey = "5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e11".parse().unwrap();
    // printf 5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e11 | sha256sum
    assert_eq!(
        key.digest(),
        "bd206dcf31f8577f56930cc512844c66f96abd6ff6cb9dd1051adb80408d48f8"
    );
    let onboarding = "7d9b2c64-1f0e-4a57-9c3d-8e5f6a7b8c9d".parse().unwrap();
    // printf
    // meridian:onboarding:7d9b2c64-1f0e-4a57-9c3d-8e5f6a7b8c9d:5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e11
    // | sha256sum
    assert_eq!(
        key.for_region(onboarding),
        "5c8695561f2e2281c03dd5b2563b84205dccc95e590f34ccac774d4699a00491"
    );
    assert_ne!(
        key.for_region("7d9b2c64-1f0e-4a57-9c3d-8e5f6a7b8c9e".parse().unwrap()),
        key.for_region(onboarding)
    );
    assert!(!format!("{key:?}").contains("5f0c"));
    for malformed in [
        "",
        "fifteen-letters",
        &"x".repeat(129),
        "sixteen letters!",
        "sechzehn-zeichen-ä",
    ] {
        assert!(malformed.parse::<OnboardingKey>().is_err(), "{malformed}");
    }
    for well_formed in ["sixteen-letters!", &"x".repeat(128)] {
        assert!(
            well_formed.parse::<OnboardingKey>().is_ok(),
            "{well_formed}"
        );
    }
}
