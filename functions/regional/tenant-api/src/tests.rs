use crate::accounts::PoolChecks;
use crate::adapters::{Adapters, TenantScopes};
use crate::handler::router;
use crate::notices::NoticeQueue;
use crate::subdomains::SubdomainKey;
use aws_sdk_cognitoidentityprovider::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use axum::Router;
use axum::body::to_bytes;
use axum::http::HeaderMap;
use identity::Identity;
use kernel::{InvitationId, Role, TenantId, Timestamp};
use local_aws::sdk::{Mail, mailbox};
use mail::Mailer;
use runtime::http::Tokens;
use serde_json::{Value, json};
use tenancy::{Actor, AuditAction, AuditEntry, SignUp, User, Username};
use tenant_access::TenantAccess;
use tenant_store::MailTally;
use tenantkit::{Newcomer, People, Region, moment};
use testkit::Case;
use testkit::openapi::{Api, assert_described};

mod access;
mod accounts;
mod administrators;
mod alert_thresholds;
mod clients;
mod closure;
mod entitlements;
mod events;
mod federation;
mod invitations;
pub(crate) mod openapi;
mod subdomains;
mod tenant;
mod usage;
mod users;

/// The sender of invitations.
const SENDER: &str = "hello@provider.example";
/// The pattern of tenants' addresses.
const ADDRESS: &str = "https://{alias}.app.example.com";
const PASSWORD: &str = "Difference-Engine-2";

/// A region with the active tenant of `events/tenant-api`: Ada, who is its administrator, Charles,
/// who is a member, and an open invitation to Grace.
struct World {
    region: Region,
    people: People,
    role_arn: String,
    /// The operator's client: its id and secret.
    operator: (String, String),
    /// The URL of the queue of notices.
    notices: String,
    ada: SignUp,
    charles: User,
    grace: InvitationId,
}

/// A part of the API that fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    Mail,
    Sender,
    /// The pool accepts people's tokens, and rejects Meridian's own credentials.
    Accounts,
    Subdomains,
    Notices,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
    body: Value,
}

impl World {
    async fn new() -> Self {
        let region = tenantkit::region().await;
        let people = region.people().await;
        let ses = aws_sdk_sesv2::Client::new(&region.aws.config);
        ses.create_email_identity()
            .email_identity(SENDER)
            .send()
            .await
            .unwrap();
        let ada = region.activate(&Newcomer::ada()).await;
        let charles = region
            .add_user(&ada, "charles@engines.example", Role::Member, earlier())
            .await;
        let by = ada.user.username;
        let code = region
            .invite(
                ada.tenant.id,
                by,
                "grace@compilers.example",
                Role::Member,
                earlier(),
            )
            .await;
        let role_arn = testkit::tenant_role(&region.aws).await;
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&region.aws.config);
        let operator =
            testkit::add_client(&cognito, &people.pool.id, &[crate::administrators::SCOPE]).await;
        let notices = testkit::queue(&region.aws).await;
        let world = Self {
            region,
            people,
            role_arn,
            operator,
            notices,
            ada,
            charles,
            grace: code.invitation(),
        };
        world.make_account(&world.ada.user).await;
        world.make_account(&world.charles).await;
        world
    }

    /// Another tenant of the region, with an administrator, a member and an open invitation, to
    /// Grace too.
    async fn other(&self) -> (SignUp, User, InvitationId) {
        let made = self.region.activate(&Newcomer::somebody()).await;
        let member = self
            .region
            .add_user(&made, "edith@elsewhere.example", Role::Member, earlier())
            .await;
        let (tenant, by) = (made.tenant.id, made.user.username);
        let code = self
            .region
            .invite(
                tenant,
                by,
                "grace@compilers.example",
                Role::Member,
                earlier(),
            )
            .await;
        self.make_account(&made.user).await;
        self.make_account(&member).await;
        (made, member, code.invitation())
    }

    async fn make_account(&self, user: &User) {
        let made = self
            .people
            .identity
            .create_proved(user.username, &user.email, &PASSWORD.parse().unwrap())
            .await;
        made.unwrap();
    }

    fn api(&self, without: Without) -> Router {
        runtime::http::with_fallbacks(router(self.adapters(without)))
    }

    fn adapters(&self, without: Without) -> Adapters {
        let aws = &self.region.aws.config;
        let gone = aws.to_builder().endpoint_url("http://127.0.0.1:9").build();
        let pool = &self.people.pool;
        let sender = if without == Without::Sender {
            ""
        } else {
            SENDER
        };
        let mailer = if without == Without::Mail { &gone } else { aws };
        let notices = if without == Without::Notices {
            &gone
        } else {
            aws
        };
        let nobody =
            SharedCredentialsProvider::new(Credentials::from_keys("nobody", "nobody", None));
        let strange = aws.to_builder().credentials_provider(nobody).build();
        let accounts = if without == Without::Accounts {
            &strange
        } else {
            aws
        };
        Adapters {
            region: self.region.code.clone(),
            catalogue: self.region.catalogue.clone(),
            settings: self.region.settings,
            own: self.region.tenants.clone(),
            mails: MailTally::new(self.region.tenants.reader().clone(), 3_000),
            scopes: TenantScopes {
                access: TenantAccess::new(aws, self.role_arn.clone()),
                regional_table: self.region.regional_table.clone(),
                outbox_table: self.region.outbox_table.clone(),
                usage_table: self.region.usage_table.clone(),
            },
            checks: PoolChecks::default(),
            identity: Identity::new(accounts, pool.id.clone(), pool.client_id.clone()),
            operators: Tokens::new(aws, &pool.id, self.operator.0.clone()).unwrap(),
            notices: NoticeQueue::new(notices, self.notices.clone()),
            tokens: Tokens::new(aws, &pool.id, pool.client_id.clone())
                .unwrap()
                .and(pool.machine_client_id.clone()),
            mailer: Mailer::new(mailer, sender.parse().unwrap()),
            addresses: ADDRESS.parse().unwrap(),
            subdomains: if without == Without::Subdomains {
                ""
            } else {
                "subdomains of a test"
            }
            .parse()
            .unwrap(),
            auth_url: "https://auth.example.com".to_owned(),
            with_loopback: true,
        }
    }

    /// An access token of a person.
    async fn token(&self, user: Username) -> String {
        let client = aws_sdk_cognitoidentityprovider::Client::new(&self.region.aws.config);
        let signed_in = client
            .initiate_auth()
            .client_id(&self.people.pool.client_id)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", user.to_string())
            .auth_parameters("PASSWORD", PASSWORD)
            .send()
            .await
            .unwrap();
        signed_in
            .authentication_result
            .unwrap()
            .access_token
            .unwrap()
    }

    async fn admin_token(&self) -> String {
        self.token(self.ada.user.username).await
    }

    fn tenant(&self) -> TenantId {
        self.ada.tenant.id
    }

    /// A path below the tenant.
    fn path(&self, rest: &str) -> String {
        format!("/tenants/{}{rest}", self.tenant())
    }

    async fn send(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        invoke(
            self.api(Without::Nothing),
            &request(method, path, token, body),
        )
        .await
    }

    /// The same without a body, and with further headers.
    async fn send_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut payload = request(method, path, token, &Value::Null);
        for (name, value) in headers {
            payload["headers"][name] = json!(value);
        }
        invoke(self.api(Without::Nothing), &payload).await
    }

    /// The audit trail of a tenant, newest first.
    async fn trail(&self, tenant: TenantId) -> Vec<AuditEntry> {
        self.region
            .tenants
            .reader()
            .list_audit(tenant, None, 100)
            .await
            .unwrap()
            .entries
    }

    /// The refusals in the tenant's audit trail: action, target, problem.
    async fn refusals(&self) -> Vec<(Value, Option<String>, String)> {
        let trail = self.trail(self.tenant()).await;
        let refused = trail.into_iter().filter_map(|entry| {
            let action = serde_json::to_value(entry.action).unwrap();
            entry.refused.map(|slug| (action, entry.target, slug))
        });
        refused.collect()
    }

    /// The mails to an address, oldest first.
    async fn mails_to(&self, address: &str) -> Vec<Mail> {
        let url = format!("{}/_ministack/ses/messages", self.region.aws.endpoint);
        let mails = mailbox(&url).await.unwrap();
        mails
            .into_iter()
            .filter(|mail| mail.is_to(address))
            .collect()
    }
}

/// A moment between the sign-up and the events of the files.
fn earlier() -> Timestamp {
    moment("2026-11-20T09:30:00Z")
}

fn case(name: &str) -> Case {
    testkit::cases("tenant-api")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
}

/// A request as API Gateway sends it, with another path, token and body; no token where it is
/// empty.
fn request(method: &str, path: &str, token: &str, body: &Value) -> Value {
    let mut payload = case("valid-profile-change").payload;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    payload["rawPath"] = json!(path);
    payload["rawQueryString"] = json!(query);
    payload["queryStringParameters"] = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    payload["requestContext"]["http"]["path"] = json!(path);
    payload["requestContext"]["http"]["method"] = json!(method);
    let headers = payload["headers"].as_object_mut().unwrap();
    headers.insert("idempotency-key".to_owned(), json!("a-key-of-the-tests-1"));
    if token.is_empty() {
        headers.remove("authorization");
    } else {
        headers["authorization"] = json!(format!("Bearer {token}"));
    }
    payload["body"] = if body.is_null() {
        Value::Null
    } else {
        json!(body.to_string())
    };
    payload
}

/// Sends a request as API Gateway does, and asserts that the API document describes the response.
async fn invoke(api: Router, payload: &Value) -> Answer {
    let response = runtime::http::respond(api, &payload.to_string()).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text,
        body,
    };
    assert_described(Api::Regional, payload, answer.status, slug(&answer).1);
    answer
}

/// The stored digest of an undo code.
fn digest(code: &str) -> tenancy::KeyDigest {
    tenancy::KeyDigest::of("closure", code)
}

/// The status and the problem's slug of a response.
fn slug(answer: &Answer) -> (u16, &str) {
    let kind = answer.body["type"].as_str().unwrap_or_default();
    (answer.status, kind.rsplit('/').next().unwrap())
}
