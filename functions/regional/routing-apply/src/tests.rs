use crate::adapters::Adapters;
use crate::handler::handle;
use crate::stub::StubZone;
use crate::zone::{Target, Zone};
use aws_sdk_route53::Client;
use kernel::{StatusReason, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tenancy::{Actor, Change, decide_change};
use tenant_store::LoadOptions;
use tenantkit::{Newcomer, Region};
use testkit::Case;

const DOMAIN: &str = "app.example";
const HERE: &str = "d-here.execute-api.eu-central-1.amazonaws.com";
const ELSEWHERE: &str = "d-elsewhere.execute-api.us-west-2.amazonaws.com";
const ADAS: &str = "23456789abcd.app.example";

struct World {
    region: Region,
    names: Client,
    zone: String,
    adapters: Adapters,
}

/// A region without tenants, and a zone without names.
async fn world(target_zone: &str) -> World {
    let mut region = tenantkit::region().await;
    region.settings.is_routed = true;
    let names = Client::new(&region.aws.config);
    let made = names
        .create_hosted_zone()
        .name(DOMAIN)
        .caller_reference(&region.regional_table)
        .send()
        .await
        .unwrap();
    let zone = made
        .hosted_zone()
        .unwrap()
        .id()
        .trim_start_matches("/hostedzone/")
        .to_owned();
    let zone_of_region = to(&region, &zone, HERE, target_zone);
    let adapters = Adapters {
        region: region.code.clone(),
        tenants: region.tenants.clone(),
        zone: zone_of_region,
    };
    World {
        region,
        names,
        zone,
        adapters,
    }
}

fn to(region: &Region, zone: &str, host: &str, target_zone: &str) -> Zone {
    let target = Target {
        host: host.to_owned(),
        zone: target_zone.to_owned(),
    };
    Zone::new(
        &region.aws.config,
        zone.to_owned(),
        DOMAIN.to_owned(),
        target,
    )
}

impl World {
    /// Delivers a batch. Returns the ids of the failed messages.
    async fn deliver(&self, batch: &Value) -> Vec<String> {
        deliver(&self.adapters, batch).await
    }

    /// Every name of the zone, and its target.
    async fn routes(&self) -> BTreeMap<String, String> {
        let listed = self
            .names
            .list_resource_record_sets()
            .hosted_zone_id(&self.zone)
            .send()
            .await
            .unwrap();
        let sets = listed.resource_record_sets().iter();
        let routes = sets.filter_map(|set| {
            let host = match set.alias_target() {
                Some(target) => format!("alias {}", target.dns_name()),
                None if set.r#type().as_str() == "CNAME" => {
                    set.resource_records()[0].value().to_owned()
                }
                None => return None,
            };
            Some((
                set.name().trim_end_matches('.').to_owned(),
                host.trim_end_matches('.').to_owned(),
            ))
        });
        routes.collect()
    }

    /// The time that the sign-up of Ada's tenant records for its routing.
    async fn routed_at(&self) -> Option<Timestamp> {
        self.region
            .signup(Newcomer::ada().tenant)
            .await
            .unwrap()
            .routed_at
    }

    /// Applies changes to Ada's tenant.
    async fn change(&self, changes: &[Change]) {
        let ada = Newcomer::ada();
        for change in changes {
            let (reason, settings) = (StatusReason::Operator, &self.region.settings);
            let decided = self.region.change(
                ada.tenant,
                LoadOptions::SIGNUP,
                ada.at,
                |loaded, context| {
                    decide_change(
                        &loaded.state,
                        *change,
                        reason,
                        Actor::Clock,
                        settings,
                        context,
                    )
                    .map(Some)
                },
            );
            decided.await;
        }
    }
}

async fn deliver(adapters: &Adapters, batch: &Value) -> Vec<String> {
    let Ok(response) = handle(adapters, serde_json::from_value(batch.clone()).unwrap()).await;
    response
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect()
}

fn case(name: &str) -> Value {
    testkit::cases("routing-apply")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

fn leads_to(host: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(ADAS.to_owned(), host.to_owned())])
}

#[tokio::test]
async fn every_case_has_its_expected_result() {
    for Case { name, payload } in testkit::cases("routing-apply") {
        let world = world("").await;
        world.region.activate(&Newcomer::ada()).await;
        let failed = world.deliver(&payload).await;
        if name.starts_with("valid-") {
            assert!(failed.is_empty(), "{name}");
            assert_eq!(
                world.routes().await,
                leads_to(HERE),
                "{name}: what the table says counts, not the event"
            );
        } else {
            assert_eq!(
                failed,
                [payload["Records"][0]["messageId"].as_str().unwrap()],
                "{name}"
            );
            assert!(world.routes().await.is_empty(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_name_routes_to_the_region_from_activation_to_closure() {
    for (target_zone, leads) in [
        ("", HERE.to_owned()),
        ("Z1UJRXOUMOOFQ8", format!("alias {HERE}")),
    ] {
        let world = world(target_zone).await;
        let (event, mut routed_at) = (case("valid-activated"), None);
        world.region.register(&Newcomer::ada()).await;
        assert!(world.deliver(&event).await.is_empty());
        assert!(world.routes().await.is_empty(), "nobody has confirmed yet");
        world
            .region
            .confirm(Newcomer::ada().tenant, Newcomer::ada().at)
            .await;
        assert_eq!(world.routed_at().await, None, "nothing is written yet");
        for changes in [
            &[][..],
            &[Change::Suspend],
            &[Change::Close],
            &[Change::Resuspend, Change::Reactivate],
        ] {
            world.change(changes).await;
            assert!(world.deliver(&event).await.is_empty());
            assert_eq!(world.routes().await, leads_to(&leads), "{changes:?}");
            let noted = world.routed_at().await;
            assert!(
                noted.is_some() && *routed_at.get_or_insert(noted) == noted,
                "noted once"
            );
        }
        world.change(&[Change::Relocate]).await;
        assert!(world.deliver(&event).await.is_empty());
        assert_eq!(
            world.routes().await,
            leads_to(&leads),
            "it is reached where it was until it has moved"
        );
        world.change(&[Change::End]).await;
        for _ in 0..2 {
            assert!(
                world.deliver(&event).await.is_empty(),
                "what is absent is as it has to be"
            );
            assert!(world.routes().await.is_empty());
        }
    }
}

/// A tenant that is closed without ever having had a name does not block the names of others.
#[tokio::test]
async fn a_tenant_without_names_does_not_block_a_batch() {
    let world = world("").await;
    let (ada, other) = (Newcomer::ada(), Newcomer::somebody());
    world.region.register(&ada).await;
    world.change(&[Change::Expire]).await;
    world.region.activate(&other).await;
    let mut batch = case("valid-activated");
    let (mut of_other, mut poison) = (
        batch["Records"][0].clone(),
        case("invalid-no-json")["Records"][0].clone(),
    );
    let body = of_other["body"]
        .as_str()
        .unwrap()
        .replace(&ada.tenant.to_string(), &other.tenant.to_string());
    (of_other["body"], of_other["messageId"], poison["messageId"]) =
        (json!(body), json!("other"), json!("poison"));
    batch["Records"]
        .as_array_mut()
        .unwrap()
        .extend([poison, of_other]);
    assert_eq!(world.deliver(&batch).await, ["poison"]);
    let name = format!("{}.{DOMAIN}", other.alias);
    assert_eq!(
        world.routes().await,
        BTreeMap::from([(name, HERE.to_owned())])
    );
}

/// A relocated tenant: its former region closes it after the new one has written the name.
#[tokio::test]
async fn a_name_that_another_region_has_overwritten_survives() {
    let world = world("").await;
    world.region.activate(&Newcomer::ada()).await;
    let elsewhere = to(&world.region, &world.zone, ELSEWHERE, "");
    let (region, tenants) = (world.region.code.clone(), world.region.tenants.clone());
    let other = Adapters {
        region,
        tenants,
        zone: elsewhere,
    };
    assert!(deliver(&other, &case("valid-activated")).await.is_empty());
    assert_eq!(world.routes().await, leads_to(ELSEWHERE));
    for change in [Change::Relocate, Change::End] {
        world.change(&[change]).await;
        assert!(world.deliver(&case("valid-activated")).await.is_empty());
        assert_eq!(world.routes().await, leads_to(ELSEWHERE), "{change:?}");
    }
}

/// A record of the operator has the name of one tenant. The other tenants get their names.
#[tokio::test]
async fn a_taken_name_does_not_block_other_tenants() {
    let mut world = world("").await;
    let stub = StubZone::start(ADAS).await;
    let gone = world
        .region
        .aws
        .config
        .to_builder()
        .endpoint_url(&stub.url)
        .build();
    let target = Target {
        host: HERE.to_owned(),
        zone: String::new(),
    };
    world.adapters.zone = Zone::new(&gone, world.zone.clone(), DOMAIN.to_owned(), target);
    let (ada, other) = (Newcomer::ada(), Newcomer::somebody());
    world.region.activate(&ada).await;
    world.region.activate(&other).await;
    let mut batch = case("valid-activated");
    let mut of_other = batch["Records"][0].clone();
    let body = of_other["body"]
        .as_str()
        .unwrap()
        .replace(&ada.tenant.to_string(), &other.tenant.to_string());
    (of_other["body"], of_other["messageId"]) = (json!(body), json!("other"));
    batch["Records"].as_array_mut().unwrap().push(of_other);
    let failed = world.deliver(&batch).await;
    assert_eq!(failed, [batch["Records"][0]["messageId"].as_str().unwrap()]);
    assert_eq!(stub.written(), [format!("{}.{DOMAIN}", other.alias)]);
    assert!(
        world
            .region
            .signup(ada.tenant)
            .await
            .unwrap()
            .routed_at
            .is_none(),
        "nothing leads there"
    );
}

#[tokio::test]
async fn a_failing_zone_makes_the_queue_redeliver_the_batch() {
    let mut world = world("").await;
    world.region.activate(&Newcomer::ada()).await;
    let batch = case("valid-duplicate-and-reordered");
    world.adapters.zone = to(&world.region, "ZNOSUCHZONE", HERE, "");
    assert_eq!(world.deliver(&batch).await.len(), 3);
    world.adapters.zone = to(&world.region, "", HERE, "");
    assert!(
        world.deliver(&batch).await.is_empty(),
        "without a zone there is nothing to do"
    );
}
