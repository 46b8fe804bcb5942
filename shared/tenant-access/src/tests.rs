use crate::{AccessError, TenantAccess};
use aws_credential_types::provider::ProvideCredentials;
use aws_types::SdkConfig;
use kernel::{TenantId, Timestamp};

async fn key(config: &SdkConfig) -> String {
    let provider = config.credentials_provider().unwrap();
    provider
        .provide_credentials()
        .await
        .unwrap()
        .access_key_id()
        .to_owned()
}

fn tenant(n: u8) -> TenantId {
    format!("01935f6e-7b10-7c3a-8f21-5a6b7c8d9e{n:02x}")
        .parse()
        .unwrap()
}

#[tokio::test]
async fn each_tenant_has_its_own_credentials_for_a_while() {
    let aws = testkit::aws().await;
    let access = TenantAccess::new(&aws.config, testkit::tenant_role(&aws).await);
    let now = runtime::now();
    let one = key(&access.narrowed(tenant(1), now).await.unwrap()).await;
    let two = key(&access.narrowed(tenant(2), now).await.unwrap()).await;
    assert_ne!(one, two);
    assert_ne!(one, key(&aws.config).await, "not the function's own");
    let later = |seconds: i64| Timestamp::from_second(now.as_second() + seconds).unwrap();
    assert_eq!(
        key(&access.narrowed(tenant(1), later(600)).await.unwrap()).await,
        one
    );
    assert_ne!(
        key(&access.narrowed(tenant(1), later(860)).await.unwrap()).await,
        one,
        "about to end"
    );
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let aws = testkit::aws().await;
    let access = TenantAccess::new(&aws.config, testkit::tenant_role(&aws).await);
    for n in 0..=u8::MAX {
        access.narrowed(tenant(n), runtime::now()).await.unwrap();
    }
    let other = "01935f6e-7b10-7c3a-8f21-000000000000".parse().unwrap();
    access.narrowed(other, runtime::now()).await.unwrap();
    let cached = access.cached.lock().await;
    assert_eq!(cached.len(), super::CACHED_MAX);
    assert!(cached.contains_key(&other));
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_gives_nothing() {
    let aws = testkit::aws().await;
    let access = TenantAccess::new(
        &aws.config,
        "arn:aws:iam::000000000000:role/nobodys".to_owned(),
    );
    let refused = access.narrowed(tenant(1), runtime::now()).await;
    assert!(
        matches!(refused, Err(AccessError::NotAssumed(_))),
        "{refused:?}"
    );
}
