use crate::adapters::Adapters;
use crate::handler::handle;
use crate::logins::LoginQueue;
use aws_sdk_sqs::Client;
use serde_json::{Value, json};
use tenancy::Username;
use testkit::{Case, LocalAws};

/// What is in the queue.
async fn received(aws: &LocalAws, url: &str) -> Vec<Value> {
    let answer = Client::new(&aws.config)
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .send()
        .await;
    let messages = answer.unwrap().messages.unwrap_or_default();
    messages
        .iter()
        .map(|message| serde_json::from_str(message.body().unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn every_sign_in_is_told_without_anything_personal() {
    let aws = testkit::aws().await;
    for Case { name, payload } in testkit::cases("auth-post-authentication") {
        let url = testkit::queue(&aws).await;
        let adapters = Adapters {
            logins: LoginQueue::new(&aws.config, url.clone()),
        };
        let before = runtime::now();
        let passed = handle(&adapters, serde_json::from_value(payload.clone()).unwrap())
            .await
            .unwrap();
        assert_eq!(
            serde_json::to_value(passed).unwrap()["response"],
            payload["response"],
            "{name}"
        );
        let told = received(&aws, &url).await;
        if name.starts_with("invalid-") {
            assert!(told.is_empty(), "{name}: {told:?}");
            continue;
        }
        let [login] = told.as_slice() else {
            panic!("{name}: {told:?}")
        };
        let account = Username::of_account(payload["userName"].as_str().unwrap());
        assert_eq!(login["account"], json!(account), "{name}");
        let at = login["at"].as_str().unwrap().parse().unwrap();
        assert!(before <= at && at <= runtime::now(), "{name}: {login}");
        let members: Vec<_> = login.as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            ["account", "at", "client"],
            "{name}: no more than that"
        );
        assert_eq!(
            login["client"], payload["callerContext"]["clientId"],
            "{name}"
        );
    }
}

/// Which of them are one and the same, is decided by who meters them.
#[tokio::test]
async fn every_call_is_told() {
    let aws = testkit::aws().await;
    let url = testkit::queue(&aws).await;
    let adapters = Adapters {
        logins: LoginQueue::new(&aws.config, url.clone()),
    };
    let case = testkit::cases("auth-post-authentication")
        .into_iter()
        .find(Case::is_valid)
        .unwrap();
    for _ in 0..2 {
        handle(
            &adapters,
            serde_json::from_value(case.payload.clone()).unwrap(),
        )
        .await
        .unwrap();
    }
    assert_eq!(received(&aws, &url).await.len(), 2);
}

/// A person signs in whatever becomes of the metering.
#[tokio::test]
async fn a_queue_that_is_away_keeps_nobody_out() {
    let aws = testkit::aws().await;
    let case = testkit::cases("auth-post-authentication")
        .into_iter()
        .find(Case::is_valid)
        .unwrap();
    for endpoint in [aws.endpoint.as_str(), "http://127.0.0.1:9"] {
        let config = aws.config.to_builder().endpoint_url(endpoint).build();
        let adapters = Adapters {
            logins: LoginQueue::new(&config, format!("{endpoint}/000000000000/no-such-queue")),
        };
        assert!(
            handle(
                &adapters,
                serde_json::from_value(case.payload.clone()).unwrap()
            )
            .await
            .is_ok(),
            "{endpoint}"
        );
    }
}
