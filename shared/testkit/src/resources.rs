//! Fresh resources for a test: tests share nothing but the emulator's process.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::emulator::LocalAws;
use aws_sdk_cognitoidentityprovider::types as cognito;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use deployment::clients::fresh_http;
use std::collections::BTreeMap;

fn unique(prefix: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "tests need fresh names")]
    let id = uuid::Uuid::new_v4();
    format!("{prefix}-{}", id.simple())
}

/// A fresh table with the keys `pk` and `sk`, with or without a stream of new images.
///
/// # Panics
/// When the local AWS refuses.
pub async fn table(aws: &LocalAws, stream: bool) -> String {
    let name = unique("table");
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    let text = |name: &str| {
        let kind = ScalarAttributeType::S;
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .unwrap()
    };
    let images = StreamSpecification::builder()
        .stream_enabled(stream)
        .set_stream_view_type(stream.then_some(StreamViewType::NewImage))
        .build()
        .unwrap();
    aws_sdk_dynamodb::Client::new(&aws.config)
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(text("pk"))
        .attribute_definitions(text("sk"))
        .stream_specification(images)
        .send()
        .await
        .unwrap();
    name
}

/// A fresh role that the account may assume for one tenant and that may use tables; returns its
/// ARN. The local AWS does not compare leading keys, so the policy has none.
///
/// # Panics
/// When the local AWS refuses.
pub async fn tenant_role(aws: &LocalAws) -> String {
    let name = unique("role");
    let account = "arn:aws:iam::000000000000";
    let allow = |statement: &str| {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{statement}}}]}}"#)
    };
    let trust = allow(&format!(
        r#""Principal":{{"AWS":"{account}:root"}},"Action":["sts:AssumeRole","sts:TagSession"]"#
    ));
    let policy = allow(r#""Action":"dynamodb:*","Resource":"*""#);
    let (create, put) = (("Action", "CreateRole"), ("Action", "PutRolePolicy"));
    for form in [
        vec![
            create,
            ("RoleName", &name),
            ("AssumeRolePolicyDocument", &trust),
        ],
        vec![
            put,
            ("RoleName", &name),
            ("PolicyName", "access"),
            ("PolicyDocument", &policy),
        ],
    ] {
        let scope = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
        let response = fresh_http()
            .post(&aws.endpoint)
            .header("authorization", scope)
            .form(&form)
            .send()
            .await;
        response.unwrap().error_for_status().unwrap();
    }
    format!("{account}:role/{name}")
}

/// A fresh bus, and a queue that receives everything published on it: (bus name, queue URL).
///
/// # Panics
/// When the local AWS refuses.
pub async fn bus(aws: &LocalAws) -> (String, String) {
    let name = unique("bus");
    let url = queue(aws).await;
    let queues = aws_sdk_sqs::Client::new(&aws.config);
    let arn_name = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = queues
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(arn_name.clone())
        .send()
        .await;
    let arn = attributes.unwrap().attributes().unwrap()[&arn_name].clone();
    let events = aws_sdk_eventbridge::Client::new(&aws.config);
    events.create_event_bus().name(&name).send().await.unwrap();
    let pattern = r#"{"source":[{"prefix":""}]}"#;
    events
        .put_rule()
        .name("all")
        .event_bus_name(&name)
        .event_pattern(pattern)
        .send()
        .await
        .unwrap();
    let target = aws_sdk_eventbridge::types::Target::builder()
        .id("queue")
        .arn(arn)
        .build()
        .unwrap();
    events
        .put_targets()
        .rule("all")
        .event_bus_name(&name)
        .targets(target)
        .send()
        .await
        .unwrap();
    (name, url)
}

/// A fresh queue's URL.
///
/// # Panics
/// When the local AWS refuses.
pub async fn queue(aws: &LocalAws) -> String {
    let created = aws_sdk_sqs::Client::new(&aws.config)
        .create_queue()
        .queue_name(unique("queue"))
        .send()
        .await;
    created.unwrap().queue_url().unwrap().to_owned()
}

/// A user pool with the template's password rules, a client for people and one for machines.
#[derive(Debug, Clone)]
pub struct Pool {
    /// The pool.
    pub id: String,
    /// The public client of people.
    pub client_id: String,
    /// The machine client, with the requested scopes.
    pub machine_client_id: String,
    machine_secret: String,
}

/// A fresh user pool whose machine client holds `scopes`, such as `usage/write`.
///
/// # Panics
/// When the local AWS refuses.
pub async fn user_pool(aws: &LocalAws, scopes: &[&str]) -> Pool {
    let client = aws_sdk_cognitoidentityprovider::Client::new(&aws.config);
    let rules = cognito::PasswordPolicyType::builder()
        .minimum_length(12)
        .require_lowercase(true)
        .require_uppercase(true)
        .require_numbers(true)
        .build();
    let pool = client
        .create_user_pool()
        .pool_name(unique("pool"))
        .auto_verified_attributes(cognito::VerifiedAttributeType::Email)
        .policies(
            cognito::UserPoolPolicyType::builder()
                .password_policy(rules)
                .build(),
        )
        .send()
        .await
        .unwrap();
    let id = pool.user_pool().unwrap().id().unwrap().to_owned();
    let people = client
        .create_user_pool_client()
        .user_pool_id(&id)
        .client_name("people")
        .explicit_auth_flows(cognito::ExplicitAuthFlowsType::AllowUserPasswordAuth)
        .explicit_auth_flows(cognito::ExplicitAuthFlowsType::AllowRefreshTokenAuth)
        .send()
        .await
        .unwrap();
    let client_id = people
        .user_pool_client()
        .unwrap()
        .client_id()
        .unwrap()
        .to_owned();
    let (machine_client_id, machine_secret) = machine_client(&client, &id, scopes).await;
    Pool {
        id,
        client_id,
        machine_client_id,
        machine_secret,
    }
}

async fn machine_client(
    client: &aws_sdk_cognitoidentityprovider::Client,
    pool: &str,
    scopes: &[&str],
) -> (String, String) {
    let mut declared: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (server, scope) in scopes.iter().filter_map(|scope| scope.split_once('/')) {
        let scope = cognito::ResourceServerScopeType::builder()
            .scope_name(scope)
            .scope_description(scope)
            .build();
        declared.entry(server).or_default().push(scope.unwrap());
    }
    for (server, scopes) in declared {
        let created = client
            .create_resource_server()
            .user_pool_id(pool)
            .identifier(server)
            .name(server);
        created.set_scopes(Some(scopes)).send().await.unwrap();
    }
    client
        .create_user_pool_domain()
        .user_pool_id(pool)
        .domain(unique("d"))
        .send()
        .await
        .unwrap();
    add_client(client, pool, scopes).await
}

/// Adds a machine client to a pool that has these scopes; returns its id and secret.
///
/// # Panics
/// When the local AWS refuses.
pub async fn add_client(
    client: &aws_sdk_cognitoidentityprovider::Client,
    pool: &str,
    scopes: &[&str],
) -> (String, String) {
    let created = client
        .create_user_pool_client()
        .user_pool_id(pool)
        .client_name("machines")
        .generate_secret(true)
        .allowed_o_auth_flows_user_pool_client(true)
        .allowed_o_auth_flows(cognito::OAuthFlowType::ClientCredentials)
        .set_allowed_o_auth_scopes(Some(scopes.iter().map(ToString::to_string).collect()))
        .send()
        .await
        .unwrap();
    let machine = created.user_pool_client().unwrap();
    (
        machine.client_id().unwrap().to_owned(),
        machine.client_secret().unwrap().to_owned(),
    )
}

/// An access token of the pool's machine client with one scope.
///
/// # Panics
/// When the local AWS refuses.
pub async fn machine_token(aws: &LocalAws, pool: &Pool, scope: &str) -> String {
    client_token(aws, &pool.machine_client_id, &pool.machine_secret, scope).await
}

/// An access token of a client with one scope.
///
/// # Panics
/// When the local AWS refuses.
pub async fn client_token(aws: &LocalAws, client_id: &str, secret: &str, scope: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("scope", scope)];
    let answer = fresh_http()
        .post(format!("{}/oauth2/token", aws.endpoint))
        .basic_auth(client_id, Some(secret))
        .form(&form)
        .send()
        .await
        .unwrap();
    let body: serde_json::Value = answer.error_for_status().unwrap().json().await.unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
