//! Sign-in by a tenant's own identity provider, which is third-party software on this machine.
//!
//! The emulator takes the user pool's part. It accepts the provider's id token without checking its
//! signature, and does not require the proof key of the code. On AWS the pool checks both.

use crate::clients::python;
use crate::life::{Signed, administrator};
use crate::residency::stays_in;
use anyhow::{Context, Result, bail, ensure};
use journey::journey;
use local_aws::Stack;
use meridian::client::login::shown_claims;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tenancy::Username;
use tokio::process::{Child, Command};

const REGION: &str = "eu-central-1";
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A process of an OpenID provider. It ends when this value is dropped.
struct Provider {
    issuer: String,
    http: Client,
    _process: Child,
}

impl Provider {
    async fn start(stack: &Stack) -> Result<Self> {
        let python = python(stack, "provider", include_str!("clients/provider.txt"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(python)
            .args(["-m", "oidc_provider_mock", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("the identity provider does not start")?;
        // The test follows redirects by itself, because the last address is a page that nobody
        // serves.
        let http = Client::builder().redirect(Policy::none()).build()?;
        let provider = Self {
            issuer: format!("http://127.0.0.1:{port}"),
            http,
            _process: process,
        };
        let deadline = Instant::now() + STARTS_WITHIN;
        let document = format!("{}/.well-known/openid-configuration", provider.issuer);
        while provider.http.get(&document).send().await.is_err() {
            ensure!(
                Instant::now() < deadline,
                "the identity provider does not answer"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(provider)
    }

    /// Adds a person to the provider.
    async fn add_person(&self, subject: &str, email: &str, verified: bool) -> Result<()> {
        let claims = json!({ "email": email, "email_verified": verified });
        let put = self
            .http
            .put(format!("{}/users/{subject}", self.issuer))
            .json(&claims)
            .send()
            .await?;
        ensure!(
            put.status().is_success(),
            "the provider does not add a person: {}",
            put.status()
        );
        Ok(())
    }

    /// Sends a request. Returns the address that its answer redirects to.
    async fn follow(&self, request: reqwest::RequestBuilder) -> Result<Url> {
        let answer = request.send().await?;
        let status = answer.status();
        let to = answer
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok())
            .map(str::to_owned);
        match to {
            Some(to) if status.is_redirection() => Ok(to.parse()?),
            _ => bail!("{status}: {}", answer.text().await?),
        }
    }
}

/// Sets the provider as the tenant's own. Returns the tenant's sign-in details, which name it.
async fn set(stack: &Stack, host: &Signed, provider: &Provider) -> Result<Value> {
    let body =
        json!({ "issuer": provider.issuer, "client_id": "meridian", "client_secret": "s3cret" });
    let answer = host
        .admin
        .ask(Method::PUT, "/identity-provider", Some(&body))
        .await?;
    ensure!(answer["in_use"] == true, "{answer}");
    let sign_in_details = sign_in_details(stack, host).await?;
    ensure!(
        sign_in_details["federation"]["identity_provider"].is_string(),
        "{sign_in_details}"
    );
    Ok(sign_in_details)
}

/// Reads the tenant's sign-in details.
async fn sign_in_details(stack: &Stack, host: &Signed) -> Result<Value> {
    let state = stack.deployment().region(REGION)?;
    let alias = host.customer.claims["alias"]
        .as_str()
        .context("the token names the alias")?;
    let url = format!("{}/.well-known/meridian?alias={alias}", state.api_url);
    Ok(deployment::clients::http()
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?)
}

/// The proof key of RFC 7636, appendix B. It proves that the client that redeems a code is the one
/// that requested it.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Signs a person in as a browser does: through the pool, the provider and the pool back to the
/// page, which redeems the code for tokens.
async fn sign_in(
    stack: &Stack,
    host: &Signed,
    provider: &Provider,
    subject: &str,
) -> Result<Value> {
    let document = sign_in_details(stack, host).await?;
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("the sign-in details are incomplete")
    };
    let (client, name) = (
        text(&document["federation"]["client_id"])?,
        text(&document["federation"]["identity_provider"])?,
    );
    let alias = host.customer.claims["alias"]
        .as_str()
        .context("the token names the alias")?;
    let page = format!(
        "{}/",
        stack
            .deployment()
            .tenant_address(alias)
            .context("tenants have addresses")?
    );
    let base = stack
        .deployment()
        .region(REGION)?
        .token_url
        .replace("/oauth2/token", "");
    let authorize = Url::parse_with_params(
        &format!("{base}/oauth2/authorize"),
        [
            ("response_type", "code"),
            ("client_id", client.as_str()),
            ("redirect_uri", page.as_str()),
            ("scope", "openid email"),
            ("state", "state-of-the-page"),
            ("identity_provider", name.as_str()),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
    )?;
    let code = code_for(provider, &base, authorize, &page, subject).await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("redirect_uri", page.as_str()),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
    ];
    let answer = provider
        .http
        .post(format!("{base}/oauth2/token"))
        .form(&form)
        .send()
        .await?;
    let (status, tokens): (_, Value) = (answer.status(), answer.json().await?);
    ensure!(
        status.is_success(),
        "no token for the code: {status} {tokens}"
    );
    Ok(tokens)
}

/// Follows the redirects from the pool to the provider and back to the page. Returns the code.
async fn code_for(
    provider: &Provider,
    base: &str,
    authorize: Url,
    page: &str,
    subject: &str,
) -> Result<String> {
    let at_provider = provider
        .follow(provider.http.get(authorize))
        .await
        .context("the pool leads nowhere")?;
    ensure!(
        at_provider.as_str().starts_with(&provider.issuer),
        "the pool leads to {at_provider}"
    );
    let form = [("sub", subject)];
    let back = provider
        .follow(provider.http.post(at_provider).form(&form))
        .await
        .context("the provider refuses")?;
    ensure!(
        back.path() == "/oauth2/idpresponse",
        "the provider leads to {back}"
    );
    // The pool's own host is not on this machine, so the request goes to the emulator.
    let callback = format!("{base}{}?{}", back.path(), back.query().unwrap_or_default());
    let done = provider
        .follow(provider.http.get(callback))
        .await
        .context("the pool refuses the person")?;
    ensure!(done.as_str().starts_with(page), "the pool leads to {done}");
    let of = |name: &str| {
        done.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    ensure!(
        of("state").as_deref() == Some("state-of-the-page"),
        "the state is lost: {done}"
    );
    of("code").context("there is no code")
}

async fn reads(stack: &Stack, token: &str, path: &str) -> Result<u16> {
    let url = format!("{}{path}", stack.deployment().region(REGION)?.api_url);
    Ok(deployment::clients::http()
        .get(url)
        .bearer_auth(token)
        .send()
        .await?
        .status()
        .as_u16())
}

/// A person without an invitation signs in twice, and becomes one member. Returns the last token.
async fn joins_once(
    stack: &Stack,
    host: &Signed,
    provider: &Provider,
    subject: &str,
) -> Result<String> {
    let mut token = String::new();
    for _ in 0..2 {
        let tokens = sign_in(stack, host, provider, subject).await?;
        tokens["access_token"]
            .as_str()
            .context("no access token")?
            .clone_into(&mut token);
        let claims = shown_claims(&token)?;
        ensure!(
            claims["tenant_id"] == *host.customer.tenant && claims["role"] == "member",
            "{claims}"
        );
        ensure!(
            host.admin.profile().await?["users"] == 2,
            "the person joined more than once"
        );
    }
    Ok(token)
}

/// Subjects are case-sensitive: a person whose subject differs in case alone is another member. An
/// address that the provider has not verified is refused.
async fn other_persons_are_kept_apart(
    stack: &Stack,
    host: &Signed,
    provider: &Provider,
    subject: &str,
    alike_email: &str,
) -> Result<()> {
    let alike = subject.to_uppercase();
    provider.add_person(&alike, alike_email, true).await?;
    sign_in(stack, host, provider, &alike)
        .await
        .context("the person with the other subject is refused")?;
    let listed = host.admin.ask(Method::GET, "/users", None).await?;
    ensure!(
        listed["users"].as_array().map(Vec::len) == Some(3),
        "two persons are one member: {listed}"
    );

    let unproved = format!("unproved-{}", meridian::new_uuid().simple());
    provider
        .add_person(&unproved, &format!("{unproved}@engines.example"), false)
        .await?;
    ensure!(
        sign_in(stack, host, provider, &unproved).await.is_err(),
        "an unverified address signs in"
    );
    Ok(())
}

/// A person without an invitation signs in by the tenant's own provider, and becomes a member once.
/// After a removal the person cannot sign in again, and without the provider nobody can.
#[journey]
async fn a_tenant_signs_in_by_its_own_identity_provider(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let provider = Provider::start(stack).await?;
    let document = set(stack, &host, &provider).await?;
    let name = document["federation"]["identity_provider"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let subject = format!("subject-{}", meridian::new_uuid().simple());
    let email = format!("{subject}@engines.example");
    provider.add_person(&subject, &email, true).await?;

    let username = Username::of_account(&format!("{name}_{subject}")).to_string();
    let token = joins_once(stack, &host, &provider, &subject).await?;
    ensure!(
        reads(stack, &token, &format!("/tenants/{}", host.customer.tenant)).await? == 200,
        "the token is refused"
    );
    ensure!(
        reads(stack, &token, "/entitlements").await? == 200,
        "the token reads no entitlements"
    );

    let alike_email = format!("alike-{email}");
    other_persons_are_kept_apart(stack, &host, &provider, &subject, &alike_email).await?;
    host.admin
        .ask_nothing(Method::DELETE, &format!("/users/{username}"))
        .await?;
    ensure!(
        reads(stack, &token, "/entitlements").await? == 403,
        "a removed person's token is accepted"
    );
    ensure!(
        sign_in(stack, &host, &provider, &subject).await.is_err(),
        "a removed person signs in"
    );
    host.admin.invite(&email, "member").await?;
    let tokens = sign_in(stack, &host, &provider, &subject)
        .await
        .context("a removed person who is invited does not sign in")?;
    let token = tokens["access_token"].as_str().context("no access token")?;

    host.admin
        .ask_nothing(Method::DELETE, "/identity-provider")
        .await?;
    ensure!(
        sign_in_details(stack, &host).await?["federation"].is_null(),
        "the page still leads to the provider"
    );
    ensure!(
        reads(stack, token, "/entitlements").await? == 401,
        "a token outlives its provider"
    );
    let actions = host.admin.audit().await?;
    for action in [
        "set-identity-provider",
        "join-by-provider",
        "remove-user",
        "remove-identity-provider",
    ] {
        ensure!(
            actions.iter().any(|entry| entry["action"] == action),
            "the trail lacks {action}"
        );
    }
    stays_in(
        REGION,
        &[
            ("subject", &subject),
            ("email", &email),
            ("email", &alike_email),
        ],
    );
    Ok(())
}
