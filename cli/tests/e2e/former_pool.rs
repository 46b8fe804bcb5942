//! Accounts that move together with their tenant from another user pool.

use crate::books::customer;
use crate::life::{administrator, guest};
use crate::residency::stays_in;
use crate::signin::{REGION, Visitor, account, newest};
use anyhow::{Context, Result, ensure};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, ExplicitAuthFlowsType, MessageActionType,
};
use aws_sdk_dynamodb::types::AttributeValue;
use journey::journey;
use local_aws::Stack;
use serde_json::json;
use std::collections::HashMap;

/// The accounts of a tenant from another pool move at their first sign-in, by the password that the
/// former pool knows, or by the mail for a forgotten password.
#[journey]
async fn accounts_move_along_with_their_tenant(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (_, username) = account(&host)?;
    let (guest, guest_name, _, _) = guest(stack, &host, "member").await?;
    let (admin, member) = (&host.customer.person.details, &guest.details);
    let former = FormerPool::make(stack).await?;
    former
        .take(stack, &username.to_string(), &admin.email, &admin.password)
        .await?;
    former
        .take(stack, &guest_name, &member.email, &member.password)
        .await?;

    let visitor = Visitor::new(stack, &username.to_string())?;
    let before = visitor
        .refused("password", json!({ "password": admin.password }))
        .await?;
    ensure!(
        before.0 == "NotAuthorizedException",
        "an account moved without a former pool: {before:?}"
    );
    former.note(stack, &host.customer.tenant).await?;
    let wrong = visitor
        .refused("password", json!({ "password": "Wrong-Password-1" }))
        .await?;
    ensure!(
        wrong == before,
        "{wrong:?} discloses that there is an account to move"
    );
    let session = visitor
        .tokens("password", json!({ "password": admin.password }))
        .await?;
    ensure!(
        session["claims"]["tenant_id"] == json!(host.customer.tenant),
        "{}",
        session["claims"]
    );
    visitor
        .tokens("srp", json!({ "password": admin.password }))
        .await
        .context("from now on by SRP")?;

    let visitor = Visitor::new(stack, &guest_name)?;
    visitor.step("forgot", json!({})).await?;
    let code = newest(stack, &member.email)
        .await?
        .code()
        .context("the mail holds no code")?;
    visitor
        .step(
            "confirm-forgot",
            json!({ "code": code, "new_password": "Another-Password-1" }),
        )
        .await?;
    visitor
        .tokens("srp", json!({ "password": "Another-Password-1" }))
        .await
        .context("by the mailed code")?;

    let stranger = customer(stack, REGION).await?;
    ensure!(
        stranger.tenant != host.customer.tenant,
        "the other tenants sign up as ever"
    );
    stays_in(REGION, &[("email", &admin.email), ("email", &member.email)]);
    Ok(())
}

/// The pool that had a tenant's accounts before.
struct FormerPool {
    id: String,
    client_id: String,
}

impl FormerPool {
    async fn make(stack: &Stack) -> Result<Self> {
        let cognito = Client::new(&stack.sdk(REGION)?);
        let made = cognito
            .create_user_pool()
            .pool_name(format!("former-{}", meridian::new_uuid().simple()))
            .send();
        let id = made
            .await?
            .user_pool()
            .and_then(|pool| pool.id())
            .context("a pool has an id")?
            .to_owned();
        let made = cognito
            .create_user_pool_client()
            .user_pool_id(&id)
            .client_name("people")
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
            .send()
            .await?;
        let client_id = made
            .user_pool_client()
            .and_then(|client| client.client_id())
            .context("a client has an id")?;
        Ok(Self {
            id,
            client_id: client_id.to_owned(),
        })
    }

    /// Moves an account into this pool, and deletes it from the region's own.
    async fn take(&self, stack: &Stack, username: &str, email: &str, password: &str) -> Result<()> {
        let cognito = Client::new(&stack.sdk(REGION)?);
        let attribute =
            |name: &str, value: &str| AttributeType::builder().name(name).value(value).build();
        cognito
            .admin_create_user()
            .user_pool_id(&self.id)
            .username(username)
            .user_attributes(attribute("email", email)?)
            .user_attributes(attribute("email_verified", "true")?)
            .message_action(MessageActionType::Suppress)
            .send()
            .await?;
        let set = cognito
            .admin_set_user_password()
            .user_pool_id(&self.id)
            .username(username);
        set.password(password).permanent(true).send().await?;
        let pool = &stack.deployment().region(REGION)?.user_pool_id;
        cognito
            .admin_delete_user()
            .user_pool_id(pool)
            .username(username)
            .send()
            .await?;
        Ok(())
    }

    /// Records this pool as the tenant's former one, as a move of the tenant does.
    async fn note(&self, stack: &Stack, tenant: &str) -> Result<()> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let realm = [
            ("region".to_owned(), text(REGION)),
            ("client_id".to_owned(), text(&self.client_id)),
        ];
        let table = stack
            .deployment()
            .region(REGION)?
            .tables
            .get("regional")
            .context("a region has tenants")?;
        aws_sdk_dynamodb::Client::new(&stack.emulator_sdk(REGION)?)
            .update_item()
            .table_name(table)
            .key("pk", text(&format!("TENANT#{tenant}")))
            .key("sk", text("TENANT"))
            .update_expression("SET previous = :realm")
            .expression_attribute_values(":realm", AttributeValue::M(HashMap::from(realm)))
            .send()
            .await?;
        Ok(())
    }
}
