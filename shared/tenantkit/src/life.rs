//! The lifecycle of a tenant, step by step.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::newcomer::Newcomer;
use crate::newcomer::documents;
use crate::region::{People, Region};
use contract::TenantPolicy;
use contract::application::Answer;
use identity::Mailing;
use kernel::{Role, Suspension, TenantId, Timestamp};
use tenancy::{
    Actor, ChangeSet, Context, InvitationCode, Invite, KeyDigest, Refusal, Said, SignUp, State,
    Tenant, User, Username, Voucher,
};
use tenant_store::{LoadOptions, Registered, TenantView};

impl Region {
    /// Stores a sign-up.
    ///
    /// # Panics
    /// When it is already stored.
    pub async fn register(&self, newcomer: &Newcomer) -> SignUp {
        let made = newcomer.sign_up(self);
        let (key, fingerprint) = newcomer.key(self);
        assert_eq!(
            self.tenants
                .register(&made, &key, &fingerprint)
                .await
                .unwrap(),
            Registered::Stored
        );
        made
    }

    /// Creates the administrator's account and records it.
    ///
    /// # Panics
    /// When the pool refuses.
    pub async fn make_account(
        &self,
        people: &People,
        made: &SignUp,
        password: &str,
        now: Timestamp,
    ) {
        let password = password.parse().unwrap();
        // This pool has no trigger that would check the voucher.
        let voucher = Voucher::from_random([7; 16]);
        people
            .identity
            .sign_up(
                made.user.username,
                &made.user.email,
                &password,
                Mailing::AtOnce,
                &voucher,
            )
            .await
            .unwrap();
        self.change(
            made.tenant.id,
            LoadOptions::SIGNUP,
            now,
            |loaded, context| Ok(tenancy::decide_identity(&loaded.state, Ok(None), context)),
        )
        .await;
    }

    /// Confirms the administrator's address. The tenant becomes active, or waits for the
    /// application.
    ///
    /// # Panics
    /// When the tenant is not pending.
    pub async fn confirm(&self, tenant: TenantId, now: Timestamp) -> Tenant {
        let confirmed = self.change(tenant, LoadOptions::SIGNUP, now, |loaded, context| {
            tenancy::decide_confirmation(&loaded.state, &self.catalogue, &self.settings, context)
        });
        confirmed.await.tenant
    }

    /// Redirects an item that maps a name to a tenant to another tenant, as a bug of a handler
    /// might. `partition` is the item's partition, such as `USER#<name>`, and `sort` its sort key.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn mislead(&self, partition: &str, sort: &str, tenant: TenantId) {
        let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
        let update = aws_sdk_dynamodb::Client::new(&self.aws.config)
            .update_item()
            .table_name(&self.regional_table);
        let update = update
            .key("pk", text(partition))
            .key("sk", text(sort))
            .update_expression("SET tenant = :other");
        update
            .expression_attribute_values(":other", text(&tenant.to_string()))
            .send()
            .await
            .unwrap();
    }

    /// Records that a tenant's accounts were in another pool before, as a move of the tenant does.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn make_previous(&self, tenant: TenantId) {
        let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
        let realm = [
            ("region".to_owned(), text("eu-west-1")),
            ("client_id".to_owned(), text("1example")),
        ];
        let realm = aws_sdk_dynamodb::types::AttributeValue::M(realm.into());
        let update = aws_sdk_dynamodb::Client::new(&self.aws.config)
            .update_item()
            .table_name(&self.regional_table);
        let update = update
            .key("pk", text(&format!("TENANT#{tenant}")))
            .key("sk", text("TENANT"));
        let update = update
            .update_expression("SET previous = :realm")
            .expression_attribute_values(":realm", realm);
        update.send().await.unwrap();
    }

    /// Applies an answer of the application.
    ///
    /// # Panics
    /// When there is no such tenant.
    pub async fn answer(&self, kind: Said, answer: &Answer, now: Timestamp) -> Tenant {
        let answered = self.change(
            answer.tenant,
            LoadOptions::SIGNUP,
            now,
            |loaded, context| {
                tenancy::decide_answer(&loaded.state, kind, answer, &self.settings, context)
            },
        );
        answered.await.tenant
    }

    /// Creates an active tenant: signs up, confirms and, if the application is asked, provisions.
    ///
    /// # Panics
    /// When the newcomer is already signed up.
    pub async fn activate(&self, newcomer: &Newcomer) -> SignUp {
        let made = self.register(newcomer).await;
        let tenant = self.confirm(newcomer.tenant, newcomer.at).await;
        if tenant.provisioning.is_some() {
            let answer = Answer {
                tenant: tenant.id,
                attempt: None,
                reason: None,
                retryable: None,
            };
            self.answer(Said::Provisioned, &answer, newcomer.at).await;
        }
        made
    }

    /// Invites a person on behalf of a user. Returns the code that would be mailed.
    ///
    /// # Panics
    /// When the tenant refuses the invitation.
    pub async fn invite(
        &self,
        tenant: TenantId,
        by: Username,
        email: &str,
        role: Role,
        now: Timestamp,
    ) -> InvitationCode {
        let email = email.parse().unwrap();
        let alias = self.tenant(tenant).await.alias;
        let id = Username::of(&alias, &email).invitation();
        let code = InvitationCode::from_random(id, runtime::random_bytes().unwrap());
        let options = LoadOptions {
            invitation: Some(id),
            ..LoadOptions::TENANT
        };
        self.change(tenant, options, now, |loaded, context| {
            let invite = Invite {
                email: &email,
                role,
                code: &code,
                by: Actor::User(by),
                owed: None,
            };
            tenancy::decide_invitation(
                &loaded.state,
                &invite,
                loaded.invitation.as_ref(),
                false,
                context,
            )
            .map(Some)
        })
        .await;
        code
    }

    /// Lets an invited person join with a name. The caller creates the account if it needs one.
    ///
    /// # Panics
    /// When the invitation is not valid.
    pub async fn join(
        &self,
        tenant: TenantId,
        code: &InvitationCode,
        name: &str,
        now: Timestamp,
    ) -> User {
        let options = LoadOptions {
            invitation: Some(code.invitation()),
            ..LoadOptions::TENANT
        };
        let open = self
            .tenants
            .load(tenant, options)
            .await
            .unwrap()
            .invitation
            .unwrap();
        let username = Username::of(&self.tenant(tenant).await.alias, &open.email);
        let options = LoadOptions {
            user: open.inviter(),
            ..options
        };
        self.change(tenant, options, now, |loaded, context| {
            let invitation = loaded.invitation.as_ref().ok_or(Refusal::NoInvitation)?;
            let (name, consents) = (name.parse().unwrap(), documents().agreed_at(now));
            let inviter = loaded.user.as_ref();
            tenancy::decide_acceptance(
                &loaded.state,
                invitation,
                inviter,
                code,
                name,
                consents,
                context,
            )
            .map(Some)
        })
        .await;
        let options = LoadOptions {
            user: Some(username),
            ..LoadOptions::TENANT
        };
        self.change(tenant, options, now, |loaded, context| {
            Ok(loaded
                .user
                .as_ref()
                .and_then(|user| tenancy::decide_joined(&loaded.state, user, context)))
        })
        .await;
        self.tenants
            .reader()
            .load_user(username)
            .await
            .unwrap()
            .unwrap()
    }

    /// Adds a user to an active tenant, by an invitation of its administrator.
    ///
    /// # Panics
    /// When the tenant refuses the invitation.
    pub async fn add_user(&self, made: &SignUp, email: &str, role: Role, now: Timestamp) -> User {
        let code = self
            .invite(made.tenant.id, made.user.username, email, role, now)
            .await;
        self.join(made.tenant.id, &code, "Charles Babbage", now)
            .await
    }

    /// Applies the next policy of home, with another plan or a suspension.
    ///
    /// # Panics
    /// When there is no such tenant.
    pub async fn publish(
        &self,
        tenant: TenantId,
        plan: &str,
        suspension: Option<Suspension>,
        now: Timestamp,
    ) -> Tenant {
        let plan = plan.parse().unwrap();
        let entitlements = self.catalogue.plan(&plan).unwrap().entitlements.clone();
        let version = self.tenant(tenant).await.policy.version + 1;
        let policy = TenantPolicy {
            version,
            plan,
            suspension,
            entitlements,
        };
        let published = self.change(tenant, LoadOptions::TENANT, now, |loaded, context| {
            tenancy::decide_policy(&loaded.state, &policy, &self.settings, context).map(Some)
        });
        published.await.tenant
    }

    /// Starts the closure of a tenant. The code with the digest `undo` undoes it.
    ///
    /// # Panics
    /// When the tenant is neither active nor suspended.
    pub async fn close(&self, tenant: TenantId, undo: &KeyDigest, now: Timestamp) -> Tenant {
        let closing = self.change(tenant, LoadOptions::TENANT, now, |loaded, context| {
            tenancy::decide_closure(
                &loaded.state,
                Actor::Holder,
                undo.clone(),
                &self.settings,
                context,
            )
            .map(Some)
        });
        closing.await.tenant
    }

    /// Applies any other decision.
    ///
    /// # Panics
    /// When the decision is a refusal.
    pub async fn change(
        &self,
        tenant: TenantId,
        options: LoadOptions,
        now: Timestamp,
        decide: impl Fn(&TenantView, &Context) -> Result<Option<ChangeSet>, Refusal>,
    ) -> State {
        let context = self.context(now);
        self.tenants
            .change(tenant, options, |loaded| decide(loaded, &context))
            .await
            .unwrap()
    }
}
