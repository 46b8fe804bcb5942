//! The routes of the deployed HTTP APIs, which the emulator leaves out.
//!
//! The SAM transform writes a function's `HttpApi` events into the API's OpenAPI `Body`. The
//! emulator creates the API and its stage but ignores the body, so this module creates routes,
//! integrations and authorizers from the processed template.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_apigatewayv2::Client;
use aws_sdk_apigatewayv2::types::{
    self, AuthorizationType, AuthorizerType, IntegrationType, JwtConfiguration,
};
use serde_json::Value;

use super::conditions::Conditions;

/// One route of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Method and path in API Gateway's form, such as `POST /signups` or `$default`.
    pub key: String,
    /// Logical id of the function that the route invokes.
    pub function: String,
    /// Name of the JWT authorizer, and the scopes that it requires.
    pub authorizer: Option<(String, Vec<String>)>,
}

/// One JWT authorizer of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// Its name in the security schemes.
    pub name: String,
    /// The location of the token, such as `$request.header.Authorization`.
    pub identity_source: String,
    /// The issuer of the tokens.
    pub issuer: Value,
    /// The accepted audiences of the tokens.
    pub audience: Vec<Value>,
}

/// One HTTP API of the processed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its logical id.
    pub logical: String,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its authorizers.
    pub authorizers: Vec<Authorizer>,
    /// The origins that may call it.
    pub cors: Option<Cors>,
}

/// The CORS configuration of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins.
    pub origins: Vec<String>,
    /// The methods.
    pub methods: Vec<String>,
    /// The headers that a page may send.
    pub headers: Vec<String>,
    /// The response headers that a page may read.
    pub exposed: Vec<String>,
    /// How long a browser may cache it, in seconds.
    pub max_age_s: Option<i32>,
}

/// Reads every HTTP API of a processed template.
pub fn extract(template: &Value, conditions: &Conditions) -> Vec<Api> {
    let Some(resources) = template.get("Resources").and_then(Value::as_object) else {
        return Vec::new();
    };
    let apis = resources.iter().filter(|(_, resource)| {
        resource["Type"] == "AWS::ApiGatewayV2::Api" && conditions.holds_for(resource)
    });
    apis.map(|(logical, resource)| {
        let body = conditions.resolve(&resource["Properties"]["Body"]);
        let cors = cors(&body["x-amazon-apigateway-cors"], conditions);
        Api {
            logical: logical.clone(),
            routes: routes(&body),
            authorizers: authorizers(&body),
            cors,
        }
    })
    .collect()
}

fn routes(body: &Value) -> Vec<Route> {
    let mut found = Vec::new();
    for (path, methods) in body["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let integration = &operation["x-amazon-apigateway-integration"];
            let Some(function) = function_of(&integration["uri"]) else {
                continue;
            };
            let key = match (path.as_str(), method.as_str()) {
                ("/$default" | "$default", _) => "$default".to_owned(),
                (path, "x-amazon-apigateway-any-method") => format!("ANY {path}"),
                (path, method) => format!("{} {path}", method.to_uppercase()),
            };
            let authorizer = operation["security"]
                .as_array()
                .and_then(|schemes| schemes.first())
                .and_then(Value::as_object)
                .and_then(|scheme| scheme.iter().next())
                .map(|(name, scopes)| (name.clone(), texts(scopes)));
            found.push(Route {
                key,
                function,
                authorizer,
            });
        }
    }
    found
}

fn authorizers(body: &Value) -> Vec<Authorizer> {
    let schemes = body["components"]["securitySchemes"].as_object();
    let jwt = schemes.into_iter().flatten().filter_map(|(name, scheme)| {
        let declared = &scheme["x-amazon-apigateway-authorizer"];
        let configuration = declared.get("jwtConfiguration")?;
        Some(Authorizer {
            name: name.clone(),
            identity_source: declared["identitySource"]
                .as_str()
                .unwrap_or("$request.header.Authorization")
                .to_owned(),
            issuer: configuration["issuer"].clone(),
            audience: configuration["audience"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
        })
    });
    jwt.collect()
}

fn cors(declared: &Value, conditions: &Conditions) -> Option<Cors> {
    declared.as_object()?;
    let list = |name: &str| conditions.list(&declared[name]);
    Some(Cors {
        origins: list("allowOrigins"),
        methods: list("allowMethods"),
        headers: list("allowHeaders"),
        exposed: list("exposeHeaders"),
        max_age_s: declared["maxAge"]
            .as_i64()
            .and_then(|seconds| i32::try_from(seconds).ok()),
    })
}

/// The function that an integration's URI names:
/// `...functions/${SignupApiFunction.Arn}/invocations`.
fn function_of(uri: &Value) -> Option<String> {
    let text = uri.as_str().or_else(|| uri.get("Fn::Sub")?.as_str())?;
    let (_, rest) = text.split_once("functions/${")?;
    let (name, _) = rest.split_once(['.', '}'])?;
    Some(name.to_owned())
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// Creates, updates and removes routes until a deployed API has exactly those of `api`.
///
/// `arns` maps a function's logical id to its ARN; `resolve` maps a reference of the template to
/// its value. Returns the number of routes.
///
/// # Errors
/// When the emulator refuses a call.
pub async fn apply(
    client: &Client,
    api_id: &str,
    api: &Api,
    arns: &BTreeMap<String, String>,
    resolve: impl Fn(&Value) -> Option<String>,
) -> Result<usize> {
    if let Some(cors) = &api.cors {
        apply_cors(client, api_id, cors).await?;
    }
    let authorizers = apply_authorizers(client, api_id, &api.authorizers, resolve).await?;
    let mut integrations = existing_integrations(client, api_id).await?;
    let existing = client
        .get_routes()
        .api_id(api_id)
        .send()
        .await
        .context("GetRoutes")?;
    let wanted: BTreeSet<&str> = api.routes.iter().map(|route| route.key.as_str()).collect();
    let mut served = BTreeSet::new();
    for route in existing.items() {
        let (Some(key), Some(id)) = (route.route_key(), route.route_id()) else {
            continue;
        };
        if wanted.contains(key) {
            served.insert(key.to_owned());
        } else {
            client
                .delete_route()
                .api_id(api_id)
                .route_id(id)
                .send()
                .await
                .context("DeleteRoute")?;
        }
    }
    for route in &api.routes {
        if served.contains(&route.key) {
            continue;
        }
        // A route is skipped if its function is not deployed in this mode.
        let Some(arn) = arns.get(&route.function) else {
            continue;
        };
        let integration = match integrations.get(arn) {
            Some(id) => id.clone(),
            None => {
                let id = create_integration(client, api_id, arn).await?;
                integrations.insert(arn.clone(), id.clone());
                id
            }
        };
        let mut call = client
            .create_route()
            .api_id(api_id)
            .route_key(&route.key)
            .target(format!("integrations/{integration}"));
        if let Some((name, scopes)) = &route.authorizer
            && let Some(id) = authorizers.get(name)
        {
            call = call
                .authorization_type(AuthorizationType::Jwt)
                .authorizer_id(id)
                .set_authorization_scopes(Some(scopes.clone()));
        }
        call.send()
            .await
            .with_context(|| format!("CreateRoute {}", route.key))?;
        served.insert(route.key.clone());
    }
    Ok(served.len())
}

async fn apply_cors(client: &Client, api_id: &str, cors: &Cors) -> Result<()> {
    let cors = types::Cors::builder()
        .set_allow_origins(Some(cors.origins.clone()))
        .set_allow_methods(Some(cors.methods.clone()))
        .set_allow_headers(Some(cors.headers.clone()))
        .set_expose_headers(Some(cors.exposed.clone()))
        .set_max_age(cors.max_age_s)
        .build();
    client
        .update_api()
        .api_id(api_id)
        .cors_configuration(cors)
        .send()
        .await
        .context("UpdateApi")?;
    Ok(())
}

async fn existing_integrations(client: &Client, api_id: &str) -> Result<BTreeMap<String, String>> {
    let found = client
        .get_integrations()
        .api_id(api_id)
        .send()
        .await
        .context("GetIntegrations")?;
    let pairs = found.items().iter().filter_map(|integration| {
        let uri = integration.integration_uri()?.to_owned();
        Some((uri, integration.integration_id()?.to_owned()))
    });
    Ok(pairs.collect())
}

async fn create_integration(client: &Client, api_id: &str, arn: &str) -> Result<String> {
    let made = client
        .create_integration()
        .api_id(api_id)
        .integration_type(IntegrationType::AwsProxy)
        .integration_method("POST")
        .integration_uri(arn)
        .payload_format_version("2.0")
        .send()
        .await
        .context("CreateIntegration")?;
    made.integration_id()
        .map(str::to_owned)
        .context("CreateIntegration gave no id")
}

async fn apply_authorizers(
    client: &Client,
    api_id: &str,
    wanted: &[Authorizer],
    resolve: impl Fn(&Value) -> Option<String>,
) -> Result<BTreeMap<String, String>> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let existing = client
        .get_authorizers()
        .api_id(api_id)
        .send()
        .await
        .context("GetAuthorizers")?;
    let mut ids: BTreeMap<String, String> = existing
        .items()
        .iter()
        .filter_map(|a| Some((a.name()?.to_owned(), a.authorizer_id()?.to_owned())))
        .collect();
    for authorizer in wanted {
        if ids.contains_key(&authorizer.name) {
            continue;
        }
        let audience = authorizer.audience.iter().filter_map(&resolve).collect();
        let jwt = JwtConfiguration::builder()
            .set_audience(Some(audience))
            .set_issuer(resolve(&authorizer.issuer))
            .build();
        let made = client
            .create_authorizer()
            .api_id(api_id)
            .name(&authorizer.name)
            .authorizer_type(AuthorizerType::Jwt)
            .identity_source(&authorizer.identity_source)
            .jwt_configuration(jwt)
            .send()
            .await
            .with_context(|| format!("CreateAuthorizer {}", authorizer.name))?;
        if let Some(id) = made.authorizer_id() {
            ids.insert(authorizer.name.clone(), id.to_owned());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn conditions(home: &str) -> Conditions {
        let template = json!({"Conditions": {"Home": {"Fn::Equals": [{"Ref": "Role"}, "home"]}}});
        let origins = (
            "Origins".to_owned(),
            "https://a.example,https://b.example".to_owned(),
        );
        Conditions::new(
            &template,
            BTreeMap::from([("Role".to_owned(), home.to_owned()), origins]),
        )
    }

    fn operation(function: &str) -> Value {
        let uri = format!(
            "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{function}.Arn}}/invocations"
        );
        json!({"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": {"Fn::Sub": uri}}})
    }

    #[test]
    fn routes_come_from_the_body() {
        let mut secured = operation("SecretFunction");
        secured["security"] = json!([{"Tokens": ["meridian/read"]}]);
        let template = json!({"Resources": {
            "RegionalApi": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {
                "paths": {
                    "/signups": {"post": operation("SignupApiFunction")},
                    "/any/{id}": {"x-amazon-apigateway-any-method": operation("SignupApiFunction")},
                    "/$default": {"x-amazon-apigateway-any-method": operation("SignupApiFunction")},
                    "/fleet": {"get": {"Fn::If": ["Home", operation("FleetApiFunction"), {"Ref": "AWS::NoValue"}]}},
                    "/secret": {"get": secured},
                },
                "x-amazon-apigateway-cors": {
                    "allowOrigins": {"Ref": "Origins"}, "allowMethods": ["GET", "POST"], "maxAge": 60,
                },
                "components": {"securitySchemes": {"Tokens": {"x-amazon-apigateway-authorizer": {
                    "identitySource": "$request.header.Authorization", "type": "jwt",
                    "jwtConfiguration": {"issuer": {"Fn::Sub": "https://x"}, "audience": [{"Ref": "Client"}]}}}}},
            }}},
            "OperatorApi": {"Type": "AWS::ApiGatewayV2::Api", "Condition": "Home", "Properties": {"Body": {}}},
        }});
        let apis = extract(&template, &conditions("regional"));
        assert_eq!(apis.len(), 1);
        let routes: Vec<(&str, &str)> = apis[0]
            .routes
            .iter()
            .map(|r| (r.key.as_str(), r.function.as_str()))
            .collect();
        assert_eq!(
            routes,
            [
                ("$default", "SignupApiFunction"),
                ("ANY /any/{id}", "SignupApiFunction"),
                ("GET /secret", "SecretFunction"),
                ("POST /signups", "SignupApiFunction"),
            ]
        );
        assert_eq!(
            apis[0].routes[2].authorizer,
            Some(("Tokens".to_owned(), vec!["meridian/read".to_owned()]))
        );
        assert_eq!(apis[0].authorizers[0].audience, [json!({"Ref": "Client"})]);

        let cors = Cors {
            origins: vec![
                "https://a.example".to_owned(),
                "https://b.example".to_owned(),
            ],
            methods: vec!["GET".to_owned(), "POST".to_owned()],
            headers: vec![],
            exposed: vec![],
            max_age_s: Some(60),
        };
        assert_eq!(apis[0].cors, Some(cors));

        let home = extract(&template, &conditions("home"));
        assert_eq!(home.len(), 2);
        let regional = home.iter().find(|api| api.logical == "RegionalApi");
        assert!(regional.is_some_and(|api| api.routes.iter().any(|r| r.key == "GET /fleet")));
    }
}
