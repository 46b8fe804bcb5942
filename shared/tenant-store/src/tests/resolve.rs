//! Resolving an alias, and listing the workspaces of an address.

use super::*;

/// Points an alias at another region, as a completed move does.
async fn move_away(world: &World, alias: &str, place: &RegionAddress) {
    let place = dynamo::to_value(place).unwrap();
    let key = |kind| AttributeValue::S(kind);
    let update = world.client.update_item().table_name(&world.table);
    let update = update
        .key("pk", key(format!("ALIAS#{alias}")))
        .key("sk", key("ALIAS".to_owned()));
    let update = update
        .update_expression("SET moved = :place")
        .expression_attribute_values(":place", place);
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_subdomain_leads_to_its_tenant_while_it_is_in_use() {
    let world = world().await;
    let (made, reader) = (world.register(1).await, world.store.reader());
    let (id, alias) = (made.tenant.id, made.tenant.alias.as_str());
    assert_eq!(reader.resolve("nobodys").await.unwrap(), None);
    assert_eq!(reader.resolve(alias).await.unwrap(), None, "not in use yet");
    world.confirm(id, 2).await.unwrap();
    assert_eq!(
        reader.resolve(alias).await.unwrap(),
        Some(Destination::Here(id))
    );
    world.apply(id, &policy(2), 3).await.unwrap();
    assert_eq!(
        reader.resolve(alias).await.unwrap(),
        Some(Destination::Here(id)),
        "a suspended tenant still resolves"
    );
    let place = RegionAddress {
        region: "us-west-2".parse().unwrap(),
        api_url: "https://api.west.example".parse().unwrap(),
    };
    move_away(&world, alias, &place).await;
    assert_eq!(
        reader.resolve(alias).await.unwrap(),
        Some(Destination::Moved(place))
    );
}

#[tokio::test]
async fn a_person_has_the_workspaces_that_proved_the_address() {
    let world = world().await;
    let (one, two) = (world.active(1).await, world.active(2).await);
    let email: EmailAddress = "ada1@engines.example".parse().unwrap();
    let reader = world.store.reader();
    let subdomains = async |email: &str| {
        let found = reader
            .load_workspaces(&email.parse().unwrap())
            .await
            .unwrap();
        found
            .into_iter()
            .map(|workspace| workspace.alias)
            .collect::<Vec<_>>()
    };
    assert_eq!(subdomains("nobody@engines.example").await, []);
    // Others sign up with the person's address.
    let pending = world.register(3).await;
    assert_eq!(
        subdomains(pending.user.email.expose()).await,
        [],
        "nobody has proved to read the address"
    );
    assert_eq!(
        subdomains("ADA1@Engines.example").await,
        std::slice::from_ref(&one.tenant.alias),
        "whatever the case"
    );
    let code = world.invite(&two, email.expose(), 1, 10).await;
    world.accept(&two, &code, 11).await.unwrap();
    assert_eq!(
        subdomains(email.expose()).await,
        std::slice::from_ref(&one.tenant.alias),
        "no account yet"
    );
    let username = code.invitation().to_string().parse().unwrap();
    let reach = LoadOptions {
        user: Some(username),
        ..LoadOptions::TENANT
    };
    let joined = world.store.change(two.tenant.id, reach, |loaded| {
        Ok(tenancy::decide_joined(
            &loaded.state,
            loaded.user.as_ref().unwrap(),
            &context(12),
        ))
    });
    joined.await.unwrap();
    let found = reader.load_workspaces(&email).await.unwrap();
    assert_eq!(
        (found.len(), found[0].organisation.expose()),
        (2, "Analytical Engines Ltd")
    );
    let reach = LoadOptions {
        user: Some(username),
        ..LoadOptions::TENANT
    };
    let left = world.store.change(two.tenant.id, reach, |loaded| {
        let user = loaded.user.as_ref().unwrap();
        tenancy::decide_removal(&loaded.state, user, two.user.username, &context(13)).map(Some)
    });
    left.await.unwrap();
    assert_eq!(subdomains(email.expose()).await, [one.tenant.alias]);
}
