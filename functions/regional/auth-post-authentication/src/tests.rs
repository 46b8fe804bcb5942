use crate::adapters::Adapters;
use crate::handler::handle;
use crate::logins::LoginQueue;
use aws_sdk_sqs::Client;
use serde_json::{Value, json};
use tenancy::Username;
use testkit::{Case, LocalAws};

/// The messages in the queue.
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
async fn every_sign_in_is_queued_without_personal_data() {
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
        let queued = received(&aws, &url).await;
        if name.starts_with("invalid-") {
            assert!(queued.is_empty(), "{name}: {queued:?}");
            continue;
        }
        let [login] = queued.as_slice() else {
            panic!("{name}: {queued:?}")
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

/// The metering function decides which calls are one sign-in.
#[tokio::test]
async fn every_call_is_queued() {
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

/// A person can sign in whether or not the sign-in is metered.
#[tokio::test]
async fn an_unavailable_queue_locks_nobody_out() {
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
