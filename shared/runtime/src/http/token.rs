//! Bearer tokens: access tokens of the region's own user pool, verified here and trusted nowhere
//! else.
//!
//! The gateway's own authorizer is not used, since its refusals cannot be problem documents.

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

/// Clocks may differ by this much.
const LEEWAY_S: i64 = 30;
/// A token with an unknown key makes us fetch the keys again, at most this often.
const REFETCH_S: i64 = 60;

/// Verifies access tokens of one user pool and of the clients that are named.
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

/// What a verified access token says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The client, for machines; the user's id, for people.
    pub sub: String,
    client_id: String,
    token_use: String,
    #[serde(default)]
    scope: String,
    exp: i64,
}

/// A token's own claims, and those that its reader asks for.
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
    /// One of those that are named.
    Named,
    /// Another one of the same pool. Whoever verifies the token has to look up whose it is.
    Other(String),
}

/// Whose a verified access token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder<T> {
    /// The client itself, by its secret.
    Machine(Client, Scopes),
    /// A person, of whom the token says this.
    Person(Client, T),
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(String);

impl Scopes {
    /// Makes sure that a scope is among them.
    ///
    /// # Errors
    /// 403 when it is not.
    pub fn require(&self, scope: &str) -> Result<(), Problem> {
        if self.0.split(' ').any(|held| held == scope) {
            Ok(())
        } else {
            Err(Problem::new(ProblemKind::MissingScope).with("scope", scope))
        }
    }
}

impl Tokens {
    /// Trusts tokens that `user_pool_id` issued to `client_id`, and no others but those of
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

    /// Trusts tokens of one more client of the same pool.
    #[must_use]
    pub fn and(mut self, client_id: String) -> Self {
        self.client_ids.push(client_id);
        self
    }

    /// Reads the pool's keys, so that the first request finds them. A failure is left to the
    /// request.
    pub async fn prefetch(&self, now: Timestamp) {
        if let Err(error) = self.fetch(now).await {
            tracing::debug!(error = error.to_string(), "no keys during init");
        }
    }

    /// Verifies the bearer token of a request and that it carries `scope`.
    ///
    /// # Errors
    /// A problem: 401 for a token that is missing, malformed, expired, or of another pool, client
    /// or use; 403 for one without the scope; 503 when the pool's keys cannot be read.
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

    /// Verifies the bearer token of a request, of whichever client of the pool, that it is the
    /// client's own, and that it carries `scope`. A client that is not named is nobody's until the
    /// caller has looked it up.
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

    /// Verifies the bearer token of a request, of whichever client of the pool, and says whose it
    /// is. A client that is not named is nobody's until the caller has looked it up.
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

    /// Verifies the bearer token of a request, whatever its scope, and reads further claims of it:
    /// what the pool and its trigger say of a person.
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

    /// Any client's, as long as it is of the pool.
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

    /// Whether the key is unknown and the keys were not fetched just now.
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

/// The bearer token of a request, as it came.
#[must_use]
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Signature and issuer; the caller checks the rest, expiry by the request's own time.
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

/// The refusal of a token that does not hold, which does not say why.
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

/// RS256 by ring, which the HTTP client brings along. Nothing is signed here.
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
