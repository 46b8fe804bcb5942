//! The end of machine clients, and of the tenant's own identity provider.

use super::*;
use aws_sdk_cognitoidentityprovider::Client;
use kernel::{MachineScope, TenantId};
use tenancy::{
    ClientId, ClientWish, Federation, IdentityProvider, Issuer, KeyDigest, ProviderName,
    decide_client, decide_client_made, decide_federation, decide_provider, decide_revocation,
};
use tenant_store::LoadOptions;

const NOW: &str = "2026-11-20T11:00:00Z";

impl World {
    /// A machine client that is created, here and at the pool; only stored here where the request
    /// was interrupted.
    async fn machine(
        &self,
        tenant: TenantId,
        n: u8,
        replaces: Option<ClientId>,
        is_noted: bool,
    ) -> ClientId {
        let id = ClientId::of(tenant, &KeyDigest::of("test", &n.to_string()));
        let by = self.region.tenants.users_to_erase(tenant).await.unwrap()[0].username;
        let request = ClientWish {
            id,
            scopes: vec![MachineScope::UsageWrite],
            replaces,
            by,
        };
        self.region
            .change(
                tenant,
                LoadOptions::CLIENTS,
                moment(NOW),
                |loaded, context| {
                    decide_client(&loaded.state, &loaded.clients, &request, context).map(Some)
                },
            )
            .await;
        let made = self
            .people
            .identity
            .create_machine(id, &request.scopes)
            .await
            .unwrap();
        if is_noted {
            self.region
                .change(
                    tenant,
                    LoadOptions::CLIENTS,
                    moment(NOW),
                    |loaded, context| {
                        decide_client_made(
                            &loaded.state,
                            &loaded.clients,
                            id,
                            &made.client_id,
                            context,
                        )
                    },
                )
                .await;
        }
        id
    }

    async fn provider(&self, tenant: TenantId) -> ProviderName {
        let by = self.region.tenants.users_to_erase(tenant).await.unwrap()[0].username;
        let name = ProviderName::of(&self.region.tenant(tenant).await.alias);
        let issuer = Issuer::parse("https://login.engines.example", false).unwrap();
        let (client_id, changed_at) = ("meridian".parse().unwrap(), moment(NOW));
        let provider = IdentityProvider {
            tenant,
            name: name.clone(),
            issuer,
            client_id,
            trusts_unverified_email: false,
            changed_at,
        };
        let identity = &self.people.identity;
        identity
            .put_provider(&provider, &"s3cret".parse().unwrap())
            .await
            .unwrap();
        let federation: Federation = identity
            .create_federation(&name, "https://a.example/")
            .await
            .unwrap();
        let set = |loaded: &tenant_store::TenantView, context: &tenancy::Context| {
            decide_provider(&loaded.state, &provider, by, context).map(Some)
        };
        self.region
            .change(tenant, LoadOptions::TENANT, moment(NOW), set)
            .await;
        self.region
            .change(tenant, LoadOptions::TENANT, moment(NOW), |loaded, _| {
                Ok(decide_federation(&loaded.state, &federation))
            })
            .await;
        name
    }

    /// The pool's clients and providers, apart from those of the fixture.
    async fn at_the_pool(&self) -> (usize, usize) {
        let (client, pool) = (Client::new(&self.region.aws.config), &self.people.pool.id);
        let clients = client
            .list_user_pool_clients()
            .user_pool_id(pool)
            .max_results(60)
            .send()
            .await
            .unwrap();
        let providers = client
            .list_identity_providers()
            .user_pool_id(pool)
            .send()
            .await
            .unwrap();
        (
            clients.user_pool_clients().len() - 2,
            providers.providers().len(),
        )
    }

    async fn known(&self, tenant: TenantId) -> usize {
        self.region
            .tenants
            .reader()
            .load_clients(tenant)
            .await
            .unwrap()
            .len()
    }
}

#[tokio::test]
async fn a_replaced_client_is_deleted_after_a_day() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    world.region.activate(&ada).await;
    let old = world.machine(ada.tenant, 1, None, true).await;
    world.machine(ada.tenant, 2, Some(old), true).await;
    world.run("2026-11-21T10:59:59Z").await.unwrap();
    assert_eq!(
        (world.known(ada.tenant).await, world.at_the_pool().await),
        (2, (2, 0))
    );
    world.run("2026-11-21T11:00:00Z").await.unwrap();
    assert_eq!(
        (world.known(ada.tenant).await, world.at_the_pool().await),
        (1, (1, 0))
    );
    assert_eq!(world.scheduled().await, []);
}

/// The revocation was stored, and the function killed before it reached the pool.
#[tokio::test]
async fn an_interrupted_revocation_is_completed() {
    let mut world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    let made = world.region.activate(&ada).await;
    let id = world.machine(ada.tenant, 1, None, true).await;
    world
        .region
        .change(
            ada.tenant,
            LoadOptions::CLIENTS,
            moment(NOW),
            |loaded, context| {
                let client = loaded
                    .clients
                    .iter()
                    .find(|client| client.id == id)
                    .unwrap();
                Ok(decide_revocation(
                    &loaded.state,
                    client,
                    made.user.username,
                    context,
                ))
            },
        )
        .await;
    let gone = world
        .region
        .aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let identity = world.people.identity.clone();
    world.adapters.identity =
        identity::Identity::new(&gone, "pool".to_owned(), "client".to_owned());
    assert_eq!(world.run(NOW).await.unwrap_err().kind(), "TaskPending");
    assert_eq!(
        world.scheduled().await,
        [TaskKind::Clients],
        "what failed is still due"
    );
    world.adapters.identity = identity;
    world.run(NOW).await.unwrap();
    assert_eq!(
        (world.known(ada.tenant).await, world.at_the_pool().await),
        (0, (0, 0))
    );
}

#[tokio::test]
async fn a_closed_tenants_clients_and_provider_are_deleted_and_its_erasure_counts_them() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    world.region.activate(&ada).await;
    world.machine(ada.tenant, 1, None, true).await;
    world.machine(ada.tenant, 2, None, false).await;
    world.provider(ada.tenant).await;
    assert_eq!(world.at_the_pool().await, (3, 1));
    let time = world.end(ada.tenant).await;
    assert_eq!(
        (
            world.at_the_pool().await,
            world.region.tenant(ada.tenant).await.federation
        ),
        ((0, 0), None)
    );
    assert_eq!(
        world.known(ada.tenant).await,
        2,
        "kept for the retention period"
    );
    world.run(&time).await.unwrap();
    assert_eq!(world.known(ada.tenant).await, 0);
    assert_eq!(
        world
            .region
            .tenants
            .reader()
            .load_provider(ada.tenant)
            .await
            .unwrap(),
        None
    );
    let record = world.erasure(ada.tenant).await;
    assert_eq!(
        (record.clients, record.identity_providers, record.erased_at),
        (2, 1, Some(moment(&time)))
    );
}
