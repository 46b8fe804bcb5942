//! Verifies bearer tokens: access tokens of the region's own user pool.
//!
//! The gateway's own authorizer is not used, because its refusals cannot be problem documents.

use super::keys::{KeySource, KeysError};
use super::{Problem, ProblemKind};
use aws_types::SdkConfig;
use axum::http::{HeaderMap, header};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Validation};
use kernel::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;

/// The accepted difference of clocks.
const LEEWAY_S: i64 = 30;
/// The shortest time between two reads of the keys. A token with an unknown key causes a read, so
/// that a new key of the pool is found, but not more often than this.
const REFETCH_S: i64 = 60;

/// Verifies access tokens of one user pool, issued to the named clients.
#[derive(Debug)]
pub struct Tokens {
    key_source: KeySource,
    issuer: String,
    client_ids: Vec<String>,
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    set: Option<JwkSet>,
    fetched_at: Option<Timestamp>,
}

/// The claims of a verified access token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The client's id in a machine's token, the user's id in a person's.
    pub sub: String,
    client_id: String,
    token_use: String,
    #[serde(default)]
    scope: String,
    exp: i64,
}

/// A token's registered claims, and further claims that the caller needs.
#[derive(Deserialize)]
struct Signed<T> {
    #[serde(flatten)]
    registered: Claims,
    #[serde(flatten)]
    further: T,
}

/// No further claims.
#[derive(Deserialize)]
struct Unread {}

/// The client that a token was issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// One of the named clients.
    Named,
    /// Another client of the same pool. The caller must look up its owner before trusting it.
    Other(String),
}

/// The holder of a verified access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder<T> {
    /// The client itself, which authenticated by its secret.
    Machine(Client, Scopes),
    /// A person, with the further claims of the token.
    Person(Client, T),
}

/// The scopes of a token, separated by spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(String);

impl Scopes {
    /// Requires a scope.
    ///
    /// # Errors
    /// 403 when the token lacks it.
    pub fn require(&self, scope: &str) -> Result<(), Problem> {
        if self.0.split(' ').any(|held| held == scope) {
            Ok(())
        } else {
            Err(Problem::new(ProblemKind::MissingScope).with("scope", scope))
        }
    }
}

impl Tokens {
    /// Accepts tokens that `user_pool_id` issued to `client_id` and to the clients of
    /// [`Tokens::and`].
    ///
    /// # Errors
    /// When the configuration has no region.
    pub fn new(
        config: &SdkConfig,
        user_pool_id: &str,
        client_id: String,
    ) -> Result<Self, crate::Error> {
        // A second verifier in the same process finds the provider installed.
        let _ = RING.install_default();
        let region = config.region().ok_or("the configuration has no region")?;
        let cognito = format!("https://cognito-idp.{region}.amazonaws.com");
        let issuer = format!("{cognito}/{user_pool_id}");
        let endpoint = config.endpoint_url().unwrap_or(&cognito);
        let keys_path = format!("/{user_pool_id}/.well-known/jwks.json");
        let key_source = KeySource::new(config, endpoint, keys_path)?;
        let client_ids = vec![client_id];
        Ok(Self {
            key_source,
            issuer,
            client_ids,
            keys: RwLock::default(),
        })
    }

    /// Accepts tokens of one more client of the same pool.
    #[must_use]
    pub fn and(mut self, client_id: String) -> Self {
        self.client_ids.push(client_id);
        self
    }

    /// Reads the pool's keys during init, so that the first request does not wait for them. After a
    /// failure, the first request reads them.
    pub async fn prefetch(&self, now: Timestamp) {
        if let Err(error) = self.fetch(now).await {
            tracing::debug!(error = error.to_string(), "no keys during init");
        }
    }

    /// Verifies the bearer token of a request, and that it has `scope`.
    ///
    /// # Errors
    /// A problem: 401 for a token that is missing, malformed, expired, or of another pool, client
    /// or use; 403 for a token without the scope; 503 when the pool's keys cannot be read.
    pub async fn verify(
        &self,
        headers: &HeaderMap,
        scope: &str,
        now: Timestamp,
    ) -> Result<Claims, Problem> {
        let claims = self.accept::<Unread>(headers, now).await?.registered;
        Scopes(claims.scope.clone()).require(scope)?;
        Ok(claims)
    }

    /// Verifies the bearer token of a request from any client of the pool, that it is a machine's,
    /// and that it has `scope`. The caller must look up the owner of a [`Client::Other`].
    ///
    /// # Errors
    /// The problems of [`Tokens::verify`]; 401 for a person's token.
    pub async fn verify_machine(
        &self,
        headers: &HeaderMap,
        scope: &str,
        now: Timestamp,
    ) -> Result<Client, Problem> {
        match self.verify_holder::<Unread>(headers, now).await? {
            Holder::Machine(client, scopes) => scopes.require(scope).map(|()| client),
            Holder::Person(..) => Err(invalid_token()),
        }
    }

    /// Verifies the bearer token of a request from any client of the pool, and returns its holder.
    /// The caller must look up the owner of a [`Client::Other`].
    ///
    /// # Errors
    /// 401 for a token that is missing, malformed, expired, or of another pool or use, and for a
    /// person's without the further claims; 503 when the pool's keys cannot be read.
    pub async fn verify_holder<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Holder<T>, Problem> {
        let Signed {
            registered: claims,
            further,
        } = self.accept_any::<Option<T>>(headers, now).await?;
        // Cognito sets `sub` to the client's id in a token of the client credentials grant.
        let is_machine = claims.sub == claims.client_id;
        let client = if self.client_ids.contains(&claims.client_id) {
            Client::Named
        } else {
            Client::Other(claims.client_id)
        };
        match further {
            _ if is_machine => Ok(Holder::Machine(client, Scopes(claims.scope))),
            Some(further) => Ok(Holder::Person(client, further)),
            None => Err(invalid_token()),
        }
    }

    /// Verifies the bearer token of a request, with any scope, and returns further claims: those
    /// that the pool and its trigger add for a person.
    ///
    /// # Errors
    /// The problems of [`Tokens::verify`], and 401 for a token without these claims.
    pub async fn verify_claims<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<T, Problem> {
        Ok(self.accept(headers, now).await?.further)
    }

    async fn accept<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Signed<T>, Problem> {
        let signed: Signed<T> = self.accept_any(headers, now).await?;
        if self.client_ids.contains(&signed.registered.client_id) {
            Ok(signed)
        } else {
            Err(invalid_token())
        }
    }

    /// Accepts a token of any client of the pool.
    async fn accept_any<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Signed<T>, Problem> {
        let token = bearer_token(headers)
            .ok_or_else(|| unauthorized("Send an access token as a bearer token."))?;
        let key = self.key(token, now).await?;
        decode(token, &key, &self.issuer)
            .filter(
                |Signed {
                     registered: claims, ..
                 }: &Signed<T>| {
                    claims.token_use == "access" && claims.exp + LEEWAY_S > now.as_second()
                },
            )
            .ok_or_else(invalid_token)
    }

    async fn key(&self, token: &str, now: Timestamp) -> Result<DecodingKey, Problem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid_token())?;
        let id = header
            .kid
            .filter(|_| header.alg == Algorithm::RS256)
            .ok_or_else(invalid_token)?;
        if self.may_know_more(&id, now).await {
            self.fetch(now)
                .await
                .map_err(|error| keys_unavailable(&error))?;
        }
        let keys = self.keys.read().await;
        let jwk = keys
            .set
            .as_ref()
            .and_then(|set| set.find(&id))
            .ok_or_else(invalid_token)?;
        DecodingKey::from_jwk(jwk).map_err(|_| invalid_token())
    }

    /// Whether reading the keys may find an unknown key: not within [`REFETCH_S`] of the last read.
    async fn may_know_more(&self, id: &str, now: Timestamp) -> bool {
        let keys = self.keys.read().await;
        let known = keys.set.as_ref().is_some_and(|set| set.find(id).is_some());
        let fresh = keys.set.is_some()
            && keys
                .fetched_at
                .is_some_and(|at| now.as_second() - at.as_second() < REFETCH_S);
        !(known || fresh)
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), KeysError> {
        let set = self.key_source.get().await?;
        *self.keys.write().await = Keys {
            set: Some(set),
            fetched_at: Some(now),
        };
        Ok(())
    }
}

/// The bearer token of a request, not verified.
#[must_use]
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Verifies signature and issuer. The caller checks the rest; expiry by the request's own time, so
/// that a replay repeats itself.
fn decode<T: DeserializeOwned>(token: &str, key: &DecodingKey, issuer: &str) -> Option<Signed<T>> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "iss"]);
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, key, &validation)
        .ok()
        .map(|data| data.claims)
}

fn unauthorized(detail: &'static str) -> Problem {
    Problem::new(ProblemKind::Unauthorized).detail(detail)
}

/// The problem of an invalid token. It does not name the reason.
#[must_use]
pub fn invalid_token() -> Problem {
    unauthorized(
        "The token is malformed, expired, or was issued by another region's pool or to another client.",
    )
}

fn keys_unavailable(error: &KeysError) -> Problem {
    tracing::error!(error = error.to_string(), "tokens cannot be verified");
    ProblemKind::KeysUnavailable.into()
}

/// RS256 by ring, which the HTTP client depends on anyway. Signing is not implemented.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: refuse_to_sign,
    verifier_factory: ring_verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn refuse_to_sign(
    _: &Algorithm,
    _: &EncodingKey,
) -> jsonwebtoken::errors::Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

fn ring_verifier(
    algorithm: &Algorithm,
    key: &DecodingKey,
) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => Ok(Box::new(Rs256 {
            modulus: n.clone(),
            exponent: e.clone(),
        })),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct Rs256 {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
        .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
