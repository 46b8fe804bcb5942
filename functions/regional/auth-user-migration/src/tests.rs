use crate::adapters::Adapters;
use crate::handler::handle;
use aws_sdk_dynamodb::types::AttributeValue;
use identity::FormerPools;
use serde_json::{Value, json};
use std::collections::HashMap;
use tenancy::SignUp;
use tenant_store::TenantReader;
use tenantkit::{Newcomer, People, Region};
use testkit::Case;

/// A region where Ada of the events is active. Only the former pool has her account.
struct World {
    region: Region,
    former: People,
    made: SignUp,
}

async fn world() -> World {
    let region = tenantkit::region().await;
    let ada = Newcomer::ada();
    let made = region.register(&ada).await;
    region.confirm(made.tenant.id, ada.at).await;
    let former = region.people().await;
    let password = ada.password.parse().unwrap();
    former
        .identity
        .create_proved(made.user.username, &made.user.email, &password)
        .await
        .unwrap();
    let world = World {
        region,
        former,
        made,
    };
    world.moved_from(&world.former.pool.client_id).await;
    world
}

impl World {
    fn adapters(&self) -> Adapters {
        Adapters {
            tenants: self.region.tenants.reader().clone(),
            former: FormerPools::new(self.region.aws.config.clone()),
        }
    }

    /// Stores the former pool of the tenant's accounts, as a move of the tenant does.
    async fn moved_from(&self, client_id: &str) {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let realm = HashMap::from([
            ("region".to_owned(), text("us-west-2")),
            ("client_id".to_owned(), text(client_id)),
        ]);
        aws_sdk_dynamodb::Client::new(&self.region.aws.config)
            .update_item()
            .table_name(&self.region.regional_table)
            .key("pk", text(&format!("TENANT#{}", self.made.tenant.id)))
            .key("sk", text("TENANT"))
            .update_expression("SET previous = :realm")
            .expression_attribute_values(":realm", AttributeValue::M(realm))
            .send()
            .await
            .unwrap();
    }
}

/// The response, or the kind and the message of the failure.
async fn answer(adapters: &Adapters, payload: Value) -> Result<Value, (&'static str, String)> {
    let answered = handle(adapters, serde_json::from_value(payload).unwrap()).await;
    let event = answered.map_err(|failure| (failure.kind(), failure.message().to_owned()))?;
    Ok(serde_json::to_value(event).unwrap()["response"].clone())
}

/// The empty response, which Cognito treats as no account and reports like a wrong password.
fn nothing<E>() -> Result<Value, E> {
    Ok(json!({}))
}

fn case(name: &str) -> Value {
    testkit::cases("auth-user-migration")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn only_a_members_account_moves() {
    let world = world().await;
    let adapters = world.adapters();
    for case in testkit::cases("auth-user-migration") {
        let Case { name, payload } = &case;
        let answered = answer(&adapters, payload.clone()).await;
        if !case.is_valid() {
            assert_eq!(answered, nothing(), "{name}");
            continue;
        }
        let response = answered.unwrap();
        let attributes = json!({ "email": "ada@engines.example", "email_verified": "true" });
        assert_eq!(
            (&response["userAttributes"], &response["messageAction"]),
            (&attributes, &json!("SUPPRESS")),
            "{name}"
        );
        let status = if name == "valid-sign-in" {
            json!("CONFIRMED")
        } else {
            Value::Null
        };
        assert_eq!(response["finalUserStatus"], status, "{name}");
    }
}

/// The former pool knows the password in its normal form, and Cognito would keep the form that was
/// sent.
#[tokio::test]
async fn an_account_moves_with_its_password_in_the_normal_form_only() {
    let world = world().await;
    let adapters = world.adapters();
    let mut payload = case("valid-sign-in");
    let password = payload["request"]["password"].as_str().unwrap().to_owned();
    // The normal form of a full-width letter or digit is the plain one.
    let full = |letter: char| char::from_u32(u32::from(letter) + 0xfee0).unwrap();
    for at in [0, 1, password.len() - 1] {
        let other: String = password
            .chars()
            .enumerate()
            .map(|(i, letter)| if i == at { full(letter) } else { letter })
            .collect();
        payload["request"]["password"] = json!(other);
        assert_eq!(
            answer(&adapters, payload.clone()).await,
            nothing(),
            "{other}"
        );
    }
}

/// A tenant that began here has no accounts elsewhere, and a person who has not proved the address
/// is not looked up.
#[tokio::test]
async fn only_confirmed_members_of_tenants_that_moved_are_looked_up() {
    let region = tenantkit::region().await;
    let made = region.register(&Newcomer::ada()).await;
    let world = World {
        former: region.people().await,
        region,
        made,
    };
    world.moved_from(&world.former.pool.client_id).await;
    assert_eq!(
        answer(&world.adapters(), case("valid-forgotten-password")).await,
        nothing()
    );

    let region = tenantkit::region().await;
    region.activate(&Newcomer::ada()).await;
    let adapters = Adapters {
        tenants: region.tenants.reader().clone(),
        former: FormerPools::new(region.aws.config.clone()),
    };
    for name in ["valid-sign-in", "valid-forgotten-password"] {
        assert_eq!(answer(&adapters, case(name)).await, nothing(), "{name}");
    }
}

#[tokio::test]
async fn an_unavailable_dependency_is_no_refusal() {
    let world = world().await;
    let config = &world.region.aws.config;
    let away = config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let adapters = Adapters {
        former: FormerPools::new(away),
        ..world.adapters()
    };
    let (kind, _) = answer(&adapters, case("valid-sign-in")).await.unwrap_err();
    assert_eq!(kind, "FormerPoolUnavailable");
    let tenants = TenantReader::new(config, "no-such-table".to_owned());
    let (kind, message) = answer(
        &Adapters {
            tenants,
            ..world.adapters()
        },
        case("valid-sign-in"),
    )
    .await
    .unwrap_err();
    assert_eq!(kind, "TenantUnavailable");
    assert!(!message.contains("no-such-table"), "no internals");
}
