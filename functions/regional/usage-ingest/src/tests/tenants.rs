//! The tenants whose events are accepted, and from which moment.

use super::*;

#[tokio::test]
async fn usage_is_accepted_by_the_tenants_status() {
    let world = world().await;
    let events: Vec<Value> = TENANTS
        .iter()
        .map(|(tenant, _)| event(tenant, "e"))
        .collect();
    let answer = world.send(&batch(&events)).await;
    let refused: Vec<_> = answer.body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["index"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (answer.body["accepted"].as_u64(), refused),
        (Some(2), vec![2, 3])
    );

    // Only accepted tenants are cached, for a minute of the gateway's time.
    let pending = TENANTS[2].0;
    assert_eq!(world.send(&batch(&[event(pending, "f")])).await.status, 422);
    world.put_tenant(pending, "active").await;
    assert_eq!(world.send(&batch(&[event(pending, "f")])).await.status, 200);
    world.put_tenant(pending, "closed").await;
    assert_eq!(world.send(&batch(&[event(pending, "g")])).await.status, 200);
    let mut later = batch(&[event(pending, "h")]);
    later["requestContext"]["timeEpoch"] = json!(1_793_700_061_000_i64);
    assert_eq!(world.send(&later).await.status, 422);
}

/// The reasons that reject an event, in each form that it can have.
async fn reasons(world: &World, tenant: &str, time: &str) -> Vec<Option<String>> {
    let mut sent = corrections::transfer(tenant, &format!("{tenant} {time}"), 1);
    sent["time"] = json!(time);
    let mut single = case("valid-single");
    single["body"] = json!(sent.to_string());
    let mut binary = case("valid-binary");
    binary["headers"]["ce-subject"] = json!(tenant);
    binary["headers"]["ce-time"] = json!(time);
    let mut openmeter = batch(std::slice::from_ref(&sent));
    openmeter["rawPath"] = json!("/api/v1/events");
    let sound = corrections::transfer(tenant, "sound", 1);
    let correct = |correction: Value| {
        let mut payload = case("valid-correction");
        payload["body"] = json!(json!({ "corrections": [correction] }).to_string());
        payload
    };
    let forms = [
        single,
        batch(std::slice::from_ref(&sent)),
        binary,
        openmeter,
        correct(json!({ "event": sent, "reason": "test" })),
        correct(json!({ "event": sound, "replacement": sent, "reason": "test" })),
        correct(json!({ "event": sent, "sent_by": "tenant", "reason": "test" })),
    ];
    let mut reasons = Vec::new();
    for form in forms {
        let answer = world.send(&form).await;
        reasons.push(
            answer.body["rejected"][0]["reason"]
                .as_str()
                .map(str::to_owned),
        );
    }
    reasons
}

/// Billing anchor, time of activation, and for times of events whether they are before the first
/// billing period.
type FirstPeriod = (&'static str, &'static str, &'static [(&'static str, bool)]);

const FIRST_PERIODS: [FirstPeriod; 6] = [
    (
        "00:00",
        "2026-11-02T10:00:00Z",
        &[
            ("2026-10-31T23:59:59.999999999Z", true),
            ("2026-11-01T00:00:00Z", false),
            ("2026-11-01T00:30:00+01:00", true),
        ],
    ),
    (
        "00:00",
        "2026-10-31T23:59:59Z",
        &[
            ("2026-10-02T00:00:00Z", false),
            ("2026-09-30T23:00:00Z", true),
        ],
    ),
    // The tenant's November begins on 31 October, UTC.
    (
        "18:30",
        "2026-10-31T19:00:00Z",
        &[
            ("2026-10-31T18:30:00Z", false),
            ("2026-10-31T18:29:59Z", true),
        ],
    ),
    (
        "18:30",
        "2026-10-31T18:29:59Z",
        &[("2026-10-31T18:29:59Z", false)],
    ),
    // The tenant's November begins on 1 November at five.
    (
        "05:00",
        "2026-11-01T02:00:00Z",
        &[("2026-10-03T05:00:00Z", false)],
    ),
    (
        "05:00",
        "2026-11-01T05:00:00Z",
        &[("2026-11-01T04:59:59Z", true)],
    ),
];

/// No invoice covers the time before the first billing period, so usage of that time is rejected in
/// every form.
#[tokio::test]
async fn events_before_the_first_billing_period_are_rejected_with_the_reason() {
    let world = world().await;
    let tenant = TENANTS[0].0;
    for (anchor, activated_at, times) in FIRST_PERIODS {
        world.activate(tenant, activated_at).await;
        world.begin_days(tenant, anchor).await;
        // The cached tenant is read anew after a minute.
        let world = World {
            router: function(
                &world.aws,
                world.tokens(),
                &world.regional_table,
                &world.usage_table,
            ),
            ..world.clone()
        };
        for (time, is_early) in times {
            let expected = is_early.then(|| "before-first-period".to_owned());
            let told = reasons(&world, tenant, time).await;
            assert_eq!(told, vec![expected; 7], "{anchor} {activated_at} {time}");
        }
    }
}

/// The application may still be provisioning the tenant, which may never become active: there is
/// nothing to bill.
#[tokio::test]
async fn usage_of_a_tenant_that_is_not_active_yet_is_rejected() {
    let world = world().await;
    let provisioning = "0199a1f0-0000-7000-8000-000000000005";
    world.put_tenant(provisioning, "provisioning").await;
    let refused = world.send(&batch(&[event(provisioning, "a")])).await;
    assert_eq!(
        (refused.status, &refused.body["rejected"][0]["reason"]),
        (422, &json!("unknown-tenant"))
    );
    world.put_tenant(provisioning, "active").await;
    assert_eq!(
        world.send(&batch(&[event(provisioning, "a")])).await.status,
        200
    );
}
