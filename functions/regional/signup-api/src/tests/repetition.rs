//! Repeated sign-ups: by their callers, after a kill, and after the pool failed.

use super::*;

/// A repeated request returns the same operation; a different request with the key is refused.
#[tokio::test]
async fn a_key_identifies_one_request() {
    let world = World::new().await;
    let first = sign_up(world.api(), KEY, &ada()).await;
    let repeated = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(
        (&repeated.body["password"], operation(&repeated)),
        (&json!("kept"), operation(&first))
    );
    for (member, value) in [
        ("organisation", "Other Ltd"),
        ("email", "bob@engines.example"),
        ("plan", "pro"),
        ("region", "eu-central-1"),
        ("language", "de"),
    ] {
        let mut other = ada();
        other[member] = json!(value);
        assert_eq!(
            slug(&sign_up(world.api(), KEY, &other).await),
            (422, "idempotency-key-reused"),
            "{member}"
        );
    }
    assert_eq!(
        (
            world.stored().await.len(),
            world.accounts().await,
            world.events().await.len()
        ),
        (ITEMS, 1, 1)
    );
}

#[tokio::test]
async fn twenty_clients_with_one_key_create_one_tenant() {
    let world = World::new().await;
    let body = ada();
    let answers = join_all((0..20).map(|_| sign_up(world.api(), KEY, &body)))
        .await
        .into_iter()
        .map(|answer| {
            assert_eq!(answer.status, 202, "{}", answer.body);
            answer.body["id"].as_str().unwrap().to_owned()
        });
    assert_eq!(answers.collect::<HashSet<_>>().len(), 1);
    assert_eq!(
        (
            world.stored().await.len(),
            world.accounts().await,
            world.events().await.len()
        ),
        (ITEMS, 1, 1)
    );
    assert_eq!(world.counts().await.pending, 1);
}

#[tokio::test]
async fn two_hundred_concurrent_sign_ups_all_complete() {
    let world = World::new().await;
    let answers = join_all((0..200).map(|n| {
        let mut body = ada();
        body["email"] = json!(format!("ada{n}@engines.example"));
        let api = world.api();
        async move { sign_up(api, &format!("a-key-of-many-{n:04}"), &body).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(world.counts().await.pending, 200);
    assert_eq!(world.events().await.len(), 200);
}

/// Runs the first steps of a sign-up, as a function that is killed after them does, then the whole
/// request.
#[tokio::test]
async fn a_sign_up_killed_between_any_two_calls_is_completed_by_its_key() {
    for steps in 0..=3 {
        let world = World::new().await;
        if steps >= 1 {
            let made = world.register().await;
            if steps == 2 {
                world.make_account(&made).await;
            }
            if steps >= 3 {
                world.complete(&made).await;
            }
        }
        let answer = sign_up(world.api(), KEY, &ada()).await;
        assert_eq!(
            (answer.status, &answer.body["next"]),
            (202, &json!("confirm")),
            "after {steps} steps"
        );
        if steps >= 1 {
            assert_eq!(answer.body["id"], SIGNUP, "after {steps} steps");
        }
        let all = (
            world.stored().await.len(),
            world.accounts().await,
            world.events().await.len(),
        );
        assert_eq!(all, (ITEMS, 1, 1), "after {steps} steps");
    }
}

/// An interrupted confirmation, or a trigger that never ran, does not leave a tenant pending
/// either.
#[tokio::test]
async fn a_confirmation_killed_between_any_two_calls_is_completed_by_the_next() {
    for steps in 0..=2 {
        let world = World::new().await;
        let made = world.register().await;
        world.make_account(&made).await;
        if steps >= 1 {
            world
                .people
                .identity
                .confirm(made.user.username, CODE)
                .await
                .unwrap();
        }
        if steps >= 2 {
            world
                .region
                .confirm(made.tenant.id, Newcomer::ada().at)
                .await;
        }
        let answer = confirm(world.api(), SIGNUP, CODE).await;
        assert_eq!(
            (answer.status, &answer.body["next"]),
            (200, &json!("sign-in")),
            "after {steps} steps"
        );
        assert_eq!(
            (world.counts().await.active, world.events().await.len()),
            (1, 2),
            "after {steps} steps"
        );
    }
}

#[tokio::test]
async fn a_sign_up_without_the_pools_answer_is_completed_later() {
    let world = World::new().await;
    let failed = sign_up(world.api_without_pool(), KEY, &ada()).await;
    assert_eq!(slug(&failed), (503, "identity-unavailable"));
    assert!(failed.headers.contains_key("retry-after"));
    let operation = failed.body["operation"].as_str().unwrap();
    let read = invoke(world.api(), &request("GET", operation, None, &Value::Null)).await;
    assert_eq!(
        (&read.body["state"], &read.body["next"]),
        (&json!("failed"), &json!("repeat-sign-up"))
    );
    assert_eq!(read.body["steps"][1]["reason"], "unavailable");
    let accepted = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(
        (accepted.status, &accepted.body["next"]),
        (202, &json!("confirm"))
    );
    assert_eq!(
        (world.stored().await.len(), world.accounts().await),
        (ITEMS, 1)
    );
    let id = accepted.body["id"].as_str().unwrap();
    assert_eq!(
        slug(&confirm(world.api_without_pool(), id, CODE).await),
        (503, "identity-unavailable")
    );
    assert_eq!(confirm(world.api(), id, CODE).await.status, 200);
}

/// The pool may have created the account although it returned an error: then no code was mailed.
#[tokio::test]
async fn a_repeated_request_mails_a_code_that_was_not_mailed() {
    let world = World::new().await;
    let somebody = Newcomer::somebody();
    let mails = async || {
        let sent = mailbox(&format!(
            "{}/_ministack/ses/messages",
            world.region.aws.endpoint
        ))
        .await
        .unwrap();
        sent.iter()
            .filter(|mail| mail.is_to(&somebody.email))
            .count()
    };
    let failed = sign_up(world.api_without_pool(), KEY, &somebody.request()).await;
    let operation = failed.body["operation"].as_str().unwrap();
    let read = invoke(world.api(), &request("GET", operation, None, &Value::Null)).await;
    let username: Username = read.body["username"].as_str().unwrap().parse().unwrap();
    let (email, password) = (
        somebody.email.parse().unwrap(),
        somebody.password.parse().unwrap(),
    );
    world
        .people
        .identity
        .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
        .await
        .unwrap();
    let before = mails().await;
    assert_eq!(
        sign_up(world.api(), KEY, &somebody.request()).await.status,
        202
    );
    assert_eq!((mails().await, world.accounts().await), (before + 1, 1));
    assert_eq!(
        sign_up(world.api(), KEY, &somebody.request()).await.status,
        202
    );
    assert_eq!(mails().await, before + 1, "nothing is left to be completed");
}

#[tokio::test]
async fn a_password_that_the_pool_refuses_can_be_replaced_with_the_same_key() {
    let world = World::new().await;
    let rules = PasswordPolicyType::builder().minimum_length(30).build();
    let policies = UserPoolPolicyType::builder().password_policy(rules).build();
    world
        .cognito()
        .update_user_pool()
        .user_pool_id(&world.people.pool.id)
        .policies(policies)
        .send()
        .await
        .unwrap();
    let refused = sign_up(world.api(), KEY, &ada()).await;
    assert_eq!(slug(&refused), (422, "weak-password"));
    let mut stronger = ada();
    stronger["password"] = json!("Difference-Engine-2-and-much-more!");
    assert_eq!(sign_up(world.api(), KEY, &stronger).await.status, 202);
    assert_eq!(
        (world.stored().await.len(), world.accounts().await),
        (ITEMS, 1)
    );
}
