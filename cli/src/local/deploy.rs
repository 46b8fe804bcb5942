//! Deploying the template into one region.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{
    Capability, Parameter, ResourceStatus, Stack as CfnStack, StackStatus, TemplateStage,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use kernel::Mode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::conditions::Conditions;
use super::packages::Package;
use super::ports::RegionPorts;
use super::progress::Step;
use super::state::{MachineClient, RegionState};
use super::template::{self, Code};
use super::{links, names, routes, sdk};
use crate::local::control::Link;
use crate::regions::{Fleet, Region};

/// The stack's name, which is also the template's `Name`.
pub const NAME: &str = "meridian";
/// Where packages and template are uploaded.
const BUCKET: &str = "meridian-local-code";
/// Who sends invitations.
const MAIL_FROM: &str = "no-reply@meridian.example";
/// How long a deployment may take.
const DEPLOY_SECONDS: u64 = 300;

/// What is deployed where.
#[derive(Debug)]
pub struct Deployment<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// The region.
    pub region: &'a Region,
    /// Its ports.
    pub ports: &'a RegionPorts,
    /// The port of the gateway of tenants' names.
    pub gateway: u16,
    /// The id of its hosted zone for them.
    pub zone: &'a str,
    /// The template as it is in the repository.
    pub template: &'a Value,
    /// The functions' packages.
    pub packages: &'a [Package],
}

/// What a deployment made.
#[derive(Debug)]
pub struct Deployed {
    /// Addresses, names and clients.
    pub state: RegionState,
    /// The id of each HTTP API by its logical id.
    pub apis: BTreeMap<String, String>,
    /// The links that start in the region.
    pub links: Vec<Link>,
    /// What the deployment did, in words.
    pub summary: String,
}

impl Deployment<'_> {
    /// Deploys the template, then what the emulator leaves out: routes and links.
    ///
    /// # Errors
    /// When a resource fails: the message holds its reason.
    pub async fn run(&self, step: &Step) -> Result<Deployed> {
        let emulator_url = format!("http://127.0.0.1:{}", self.ports.emulator);
        let config = sdk::config(self.region.code.as_str(), &emulator_url);
        let client = Client::new(&config);
        step.at("uploading");
        let template = self.upload(&config).await?;
        let url = format!("{emulator_url}/{BUCKET}/{}", template.key);
        let parameters = self.parameters();
        step.at("deploying");
        let did = deploy(&client, &url, &parameters, step).await?;
        let stack = describe(&client, NAME)
            .await?
            .context("the stack is gone")?;
        let resources = resources(&client, NAME).await?;
        step.at("routes");
        let apis = self
            .serve_routes(&config, &client, &resources, parameters)
            .await?;
        verify_sender(&config).await?;
        step.at("links");
        let links = links::prepare(self.region.code.as_str(), &config).await?;
        let addresses = self.addresses(&resources, emulator_url);
        let state = region_state(&config, &stack, &resources, self.region, addresses).await?;
        let functions = state.functions.len();
        let summary = format!(
            "{did}, {functions} functions, {} routes",
            apis.values().map(|(_, n)| n).sum::<usize>()
        );
        let apis = apis
            .into_iter()
            .map(|(logical, (id, _))| (logical, id))
            .collect();
        Ok(Deployed {
            state,
            apis,
            links,
            summary,
        })
    }

    /// Uploads what is not there yet; returns the template's place.
    async fn upload(&self, config: &SdkConfig) -> Result<Code> {
        let s3 = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(config)
                .force_path_style(true)
                .build(),
        );
        if s3.head_bucket().bucket(BUCKET).send().await.is_err() {
            // The oldest region's buckets have no location of their own.
            let region = self.region.code.as_str();
            let place = (region != "us-east-1").then(|| {
                let place = BucketLocationConstraint::from(region);
                CreateBucketConfiguration::builder()
                    .location_constraint(place)
                    .build()
            });
            let create = s3
                .create_bucket()
                .bucket(BUCKET)
                .set_create_bucket_configuration(place);
            create.send().await.context("CreateBucket")?;
        }
        let mut code = BTreeMap::new();
        for package in self.packages {
            let key = format!("{}/{}.zip", package.name, package.digest);
            if s3
                .head_object()
                .bucket(BUCKET)
                .key(&key)
                .send()
                .await
                .is_err()
            {
                let body = ByteStream::from_path(&package.path).await?;
                let put = s3
                    .put_object()
                    .bucket(BUCKET)
                    .key(&key)
                    .body(body)
                    .send()
                    .await;
                put.with_context(|| format!("cannot upload {key}"))?;
            }
            code.insert(
                package.name.clone(),
                Code {
                    bucket: BUCKET.to_owned(),
                    key,
                },
            );
        }
        let template = template::with_code(self.template.clone(), &code)?;
        let template = template::with_local_permissions(template::with_local_resources(template));
        let text = serde_json::to_vec(&template)?;
        let digest: String = Sha256::digest(&text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key = format!("template/{digest}.json");
        let put = s3
            .put_object()
            .bucket(BUCKET)
            .key(&key)
            .body(ByteStream::from(text))
            .send()
            .await;
        put.context("cannot upload the template")?;
        Ok(Code {
            bucket: BUCKET.to_owned(),
            key,
        })
    }

    /// The template's parameters for this region; only those that the template declares.
    fn parameters(&self) -> BTreeMap<String, String> {
        let sovereign = self
            .fleet
            .regions()
            .iter()
            .filter(|region| region.mode == Mode::Sovereign);
        let sovereign: Vec<&str> = sovereign.map(|region| region.code.as_str()).collect();
        let home = self.fleet.is_home(self.region.code.as_str());
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "x86_64"
        };
        let values = [
            ("Name", NAME.to_owned()),
            ("Role", if home { "home" } else { "regional" }.to_owned()),
            ("Mode", self.region.mode.as_str().to_owned()),
            ("HomeRegion", self.fleet.home().to_string()),
            ("RegionCodes", self.fleet.codes()),
            ("SovereignRegionCodes", sovereign.join(",")),
            ("Architecture", architecture.to_owned()),
            ("LegalEntity", format!("local-{}", self.region.code)),
            ("LogRetentionDays", "1".to_owned()),
            ("DeletionProtection", "false".to_owned()),
            ("DeployBusPolicies", "false".to_owned()),
            // Everything comes from this machine: one source is all of them.
            ("SignupsPerSourcePerHour", "2000".to_owned()),
            ("LookupsPerSourcePerHour", "2000".to_owned()),
            ("MailsPerAddressPerHour", "60".to_owned()),
            ("UnknownAddressesPerSourcePerHour", "2000".to_owned()),
            ("HandoverSecret", "only-for-this-machine".to_owned()),
            ("SubdomainSecret", "labels-only-for-this-machine".to_owned()),
            ("MailFrom", MAIL_FROM.to_owned()),
            ("TenantDomain", names::DOMAIN.to_owned()),
            ("TenantAddress", names::address(self.gateway)),
            ("HostedZoneId", self.zone.to_owned()),
            // Where an application is asked, the worked example answers.
            (
                "DeployApplicationExample",
                self.region.is_provisioned().to_string(),
            ),
            ("BuilderToolkit", self.region.is_provisioned().to_string()),
        ];
        let of_region = self
            .region
            .parameters(format!("http://127.0.0.1:{}", self.ports.api));
        let declared = template::parameters(self.template);
        let wanted = values
            .into_iter()
            .chain(of_region)
            .filter(|(name, _)| declared.contains(name));
        wanted
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Creates the routes of every HTTP API; returns each API's id and number of routes.
    async fn serve_routes(
        &self,
        config: &SdkConfig,
        client: &Client,
        resources: &Resources,
        parameters: BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, (String, usize)>> {
        let processed = client
            .get_template()
            .stack_name(NAME)
            .template_stage(TemplateStage::Processed)
            .send()
            .await
            .context("GetTemplate")?;
        let processed: Value = serde_json::from_str(processed.template_body().unwrap_or_default())
            .context("the processed template is not JSON")?;
        let conditions = Conditions::new(&processed, parameters);
        let region = self.region.code.as_str();
        let arns = resources
            .of_type("AWS::Lambda::Function")
            .map(|(logical, name)| {
                let arn = format!("arn:aws:lambda:{region}:000000000000:function:{name}");
                (logical.to_owned(), arn)
            });
        let arns: BTreeMap<String, String> = arns.collect();
        let gateway = aws_sdk_apigatewayv2::Client::new(config);
        let mut served = BTreeMap::new();
        for api in routes::extract(&processed, &conditions) {
            let Some(id) = resources.physical(&api.logical) else {
                continue;
            };
            let count = routes::apply(&gateway, id, &api, &arns, |value| {
                resources.resolve(value, region)
            })
            .await?;
            served.insert(api.logical.clone(), (id.to_owned(), count));
        }
        Ok(served)
    }

    fn addresses(&self, resources: &Resources, emulator_url: String) -> Addresses {
        let proxy = format!("http://127.0.0.1:{}", self.ports.proxy);
        let (operator, home) = (
            resources.physical("OperatorApi"),
            resources.physical("HomeApi"),
        );
        Addresses {
            api_url: format!("http://127.0.0.1:{}", self.ports.api),
            operator_api_url: operator
                .map(|_| format!("http://127.0.0.1:{}", self.ports.operator_api)),
            home_api_url: home.map(|_| format!("http://127.0.0.1:{}", self.ports.home_api)),
            token_url: format!("{proxy}/oauth2/token"),
            aws_endpoint_url: proxy,
            mail_url: format!("{emulator_url}/_ministack/ses/messages"),
            emulator_url,
        }
    }
}

/// Makes the sender of invitations an identity that mails can come from: on AWS its owner does that
/// once.
async fn verify_sender(config: &SdkConfig) -> Result<()> {
    let client = aws_sdk_sesv2::Client::new(config);
    if client
        .get_email_identity()
        .email_identity(MAIL_FROM)
        .send()
        .await
        .is_err()
    {
        client
            .create_email_identity()
            .email_identity(MAIL_FROM)
            .send()
            .await
            .context("CreateEmailIdentity")?;
    }
    Ok(())
}

/// Where a deployed region answers.
struct Addresses {
    api_url: String,
    operator_api_url: Option<String>,
    home_api_url: Option<String>,
    token_url: String,
    aws_endpoint_url: String,
    emulator_url: String,
    mail_url: String,
}

/// Where tenants of a deployment to AWS are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantNames {
    /// The domain below which their labels are; empty where there is none.
    pub domain: String,
    /// Their addresses, with `{alias}` for the label; empty where there are none.
    pub url: String,
}

/// Reads a region that is deployed to AWS from its stack: the region, and where its tenants are.
///
/// # Errors
/// When the region has no such stack, or it lacks an output of the template.
pub async fn read(
    config: &SdkConfig,
    name: &str,
    region: &Region,
) -> Result<(RegionState, TenantNames)> {
    let client = Client::new(config);
    let stack = describe(&client, name).await?;
    let stack = stack.with_context(|| format!("{} has no stack {name}", region.code))?;
    let resources = resources(&client, name).await?;
    let addresses = Addresses {
        api_url: output(&stack, "RegionalApiUrl")
            .context("the stack has no output RegionalApiUrl")?,
        operator_api_url: output(&stack, "OperatorApiUrl"),
        home_api_url: output(&stack, "HomeApiUrl"),
        token_url: output(&stack, "TokenUrl").context("the stack has no output TokenUrl")?,
        aws_endpoint_url: String::new(),
        emulator_url: String::new(),
        mail_url: String::new(),
    };
    let named = |name: &str| output(&stack, name).unwrap_or_default();
    let tenants = TenantNames {
        domain: named("TenantDomain"),
        url: named("TenantAddress"),
    };
    Ok((
        region_state(config, &stack, &resources, region, addresses).await?,
        tenants,
    ))
}

fn output(stack: &CfnStack, name: &str) -> Option<String> {
    let found = stack
        .outputs()
        .iter()
        .find(|output| output.output_key() == Some(name));
    found
        .and_then(|output| output.output_value())
        .map(str::to_owned)
}

async fn region_state(
    config: &SdkConfig,
    stack: &CfnStack,
    resources: &Resources,
    region: &Region,
    addresses: Addresses,
) -> Result<RegionState> {
    let needed =
        |name: &str| output(stack, name).with_context(|| format!("the stack has no output {name}"));
    let user_pool_id = needed("UserPoolId")?;
    let clients = aws_sdk_cognitoidentityprovider::Client::new(config);
    let service_client =
        machine_client(&clients, &user_pool_id, Some(needed("ServiceClientId")?)).await?;
    let tenant_operators = Some(needed("TenantOperatorClientId")?);
    let tenant_operator_client = machine_client(&clients, &user_pool_id, tenant_operators).await?;
    Ok(RegionState {
        mode: region.mode,
        jurisdiction: region.jurisdiction.clone(),
        api_url: addresses.api_url,
        operator_api_url: addresses.operator_api_url,
        home_api_url: addresses.home_api_url,
        token_url: addresses.token_url,
        aws_endpoint_url: addresses.aws_endpoint_url,
        mail_url: addresses.mail_url,
        emulator_url: addresses.emulator_url,
        client_id: needed("UserPoolClientId")?,
        service_client: service_client.context("the stack has no service client")?,
        tenant_operator_client: tenant_operator_client
            .context("the stack has no client of tenants' operators")?,
        operator_client: machine_client(&clients, &user_pool_id, output(stack, "OperatorClientId"))
            .await?,
        website_client: machine_client(&clients, &user_pool_id, output(stack, "WebsiteClientId"))
            .await?,
        user_pool_id,
        functions: resources.named("AWS::Lambda::Function", "Function"),
        tables: resources.named("AWS::DynamoDB::Table", "Table"),
        queues: resources.named("AWS::SQS::Queue", "Queue"),
        buses: resources.named("AWS::Events::EventBus", "Bus"),
    })
}

async fn machine_client(
    clients: &aws_sdk_cognitoidentityprovider::Client,
    pool: &str,
    id: Option<String>,
) -> Result<Option<MachineClient>> {
    let Some(id) = id else { return Ok(None) };
    let described = clients
        .describe_user_pool_client()
        .user_pool_id(pool)
        .client_id(&id)
        .send()
        .await;
    let described = described.context("DescribeUserPoolClient")?;
    let secret = described
        .user_pool_client()
        .and_then(|client| client.client_secret());
    Ok(Some(MachineClient {
        id,
        secret: secret.unwrap_or_default().to_owned(),
    }))
}

/// Creates or updates the stack, and waits. Returns what was done.
async fn deploy(
    client: &Client,
    url: &str,
    parameters: &BTreeMap<String, String>,
    step: &Step,
) -> Result<&'static str> {
    let parameters: Vec<Parameter> = parameters
        .iter()
        .map(|(key, value)| {
            Parameter::builder()
                .parameter_key(key)
                .parameter_value(value)
                .build()
        })
        .collect();
    let capabilities = vec![
        Capability::CapabilityNamedIam,
        Capability::CapabilityAutoExpand,
    ];
    let existing = describe(client, NAME).await?;
    let status = existing
        .as_ref()
        .and_then(|stack| stack.stack_status().cloned());
    let usable = status.as_ref().is_some_and(|status| !is_dead(status));
    if existing.is_some() && !usable {
        client
            .delete_stack()
            .stack_name(NAME)
            .send()
            .await
            .context("DeleteStack")?;
        wait(client, step).await?;
    }
    if usable {
        let updated = client
            .update_stack()
            .stack_name(NAME)
            .template_url(url)
            .set_parameters(Some(parameters))
            .set_capabilities(Some(capabilities))
            .send()
            .await;
        if let Err(error) = updated {
            let error = error.into_service_error();
            if error
                .message()
                .is_some_and(|message| message.contains("No updates"))
            {
                return Ok("unchanged");
            }
            bail!(
                "the template was refused: {}",
                error.message().unwrap_or("no reason given")
            );
        }
    } else {
        let created = client
            .create_stack()
            .stack_name(NAME)
            .template_url(url)
            .set_parameters(Some(parameters))
            .set_capabilities(Some(capabilities))
            .send()
            .await;
        if let Err(error) = created {
            let error = error.into_service_error();
            bail!(
                "the template was refused: {}",
                error.message().unwrap_or("no reason given")
            );
        }
    }
    match wait(client, step).await? {
        Some(StackStatus::CreateComplete) => Ok("created"),
        Some(StackStatus::UpdateComplete) => Ok("updated"),
        status => {
            let status = status.map_or_else(|| "gone".to_owned(), |status| status.to_string());
            bail!(
                "the deployment failed ({status}): {}",
                first_failure(client).await
            )
        }
    }
}

/// Whether a stack of this status can only be deleted.
fn is_dead(status: &StackStatus) -> bool {
    use StackStatus::{
        CreateFailed, DeleteFailed, RollbackComplete, RollbackFailed, UpdateRollbackFailed,
    };
    matches!(
        status,
        CreateFailed | DeleteFailed | RollbackComplete | RollbackFailed | UpdateRollbackFailed
    )
}

async fn wait(client: &Client, step: &Step) -> Result<Option<StackStatus>> {
    let deadline = Instant::now() + Duration::from_secs(DEPLOY_SECONDS);
    loop {
        let stack = describe(client, NAME).await?;
        let Some(status) = stack.and_then(|stack| stack.stack_status().cloned()) else {
            return Ok(None);
        };
        if status == StackStatus::DeleteComplete {
            return Ok(None);
        }
        if !status.as_str().ends_with("_IN_PROGRESS") {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            bail!("the deployment is not done after {DEPLOY_SECONDS} s");
        }
        step.at(format!("deploying: {}", status.as_str().to_lowercase()));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn describe(client: &Client, name: &str) -> Result<Option<CfnStack>> {
    match client.describe_stacks().stack_name(name).send().await {
        Ok(answer) => Ok(answer.stacks.and_then(|stacks| stacks.into_iter().next())),
        Err(error) => {
            let error = error.into_service_error();
            if error
                .message()
                .is_some_and(|message| message.contains("does not exist"))
            {
                return Ok(None);
            }
            Err(error).context("DescribeStacks")
        }
    }
}

/// The reason of the earliest failed resource of the last operation; what failed later failed
/// because of it.
async fn first_failure(client: &Client) -> String {
    // Newest first: the operation's own beginning ends the search.
    let mut events = client
        .describe_stack_events()
        .stack_name(NAME)
        .into_paginator()
        .items()
        .send();
    let mut first = None;
    while let Some(Ok(event)) = events.next().await {
        use ResourceStatus::{
            CreateFailed, CreateInProgress, DeleteFailed, UpdateFailed, UpdateInProgress,
        };
        let of_stack = event.resource_type() == Some("AWS::CloudFormation::Stack");
        match event.resource_status() {
            Some(CreateFailed | UpdateFailed | DeleteFailed) if !of_stack => {
                let reason = event
                    .resource_status_reason()
                    .unwrap_or("no reason was given");
                if !reason.contains("cancelled") {
                    let (logical, kind) = (event.logical_resource_id(), event.resource_type());
                    let named = format!(
                        "{} ({})",
                        logical.unwrap_or_default(),
                        kind.unwrap_or_default()
                    );
                    first = Some(format!("{named}: {reason}"));
                }
            }
            Some(CreateInProgress | UpdateInProgress) if of_stack => break,
            _ => {}
        }
    }
    first.unwrap_or_else(|| "no reason was given".to_owned())
}

/// The deployed resources: logical id, type, physical id.
#[derive(Debug)]
struct Resources(Vec<(String, String, String)>);

async fn resources(client: &Client, name: &str) -> Result<Resources> {
    let mut pages = client
        .list_stack_resources()
        .stack_name(name)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(resource) = pages.next().await {
        let resource = resource.context("ListStackResources")?;
        if resource.resource_status() == Some(&ResourceStatus::DeleteComplete) {
            continue;
        }
        let named = (
            resource.logical_resource_id(),
            resource.resource_type(),
            resource.physical_resource_id(),
        );
        if let (Some(logical), Some(kind), Some(physical)) = named {
            found.push((logical.to_owned(), kind.to_owned(), physical.to_owned()));
        }
    }
    Ok(Resources(found))
}

impl Resources {
    fn physical(&self, logical: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _, _)| name == logical)?;
        Some(found.2.as_str())
    }

    fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of_kind = self.0.iter().filter(move |(_, is, _)| is == kind);
        of_kind.map(|(logical, _, physical)| (logical.as_str(), physical.as_str()))
    }

    /// Physical ids by the logical id in words: `CentralDeadLetterQueue` is `central-dead-letter`.
    fn named(&self, kind: &str, suffix: &str) -> BTreeMap<String, String> {
        let named = self.of_type(kind).map(|(logical, physical)| {
            (
                kebab(logical.strip_suffix(suffix).unwrap_or(logical)),
                physical.to_owned(),
            )
        });
        named.collect()
    }

    /// The value of a reference in an authorizer: `Ref` and `Fn::Sub` of resources and the region.
    fn resolve(&self, value: &Value, region: &str) -> Option<String> {
        if let Some(text) = value.as_str() {
            return Some(text.to_owned());
        }
        if let Some(name) = value.get("Ref").and_then(Value::as_str) {
            return self.physical(name).map(str::to_owned);
        }
        let mut text = value
            .get("Fn::Sub")?
            .as_str()?
            .replace("${AWS::Region}", region);
        text = text.replace("${AWS::URLSuffix}", "amazonaws.com");
        for (logical, _, physical) in &self.0 {
            text = text.replace(&format!("${{{logical}}}"), physical);
        }
        Some(text)
    }
}

/// `AuthPreSignUp` is `auth-pre-sign-up`.
fn kebab(pascal: &str) -> String {
    let mut words = String::new();
    for (index, letter) in pascal.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push('-');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn logical_ids_become_words() {
        assert_eq!(kebab("AuthPreSignUp"), "auth-pre-sign-up");
        assert_eq!(kebab("Ledger"), "ledger");
    }

    #[test]
    fn references_of_authorizers_are_resolved() {
        let pool = (
            "UserPool".to_owned(),
            "AWS::Cognito::UserPool".to_owned(),
            "eu_1".to_owned(),
        );
        let resources = Resources(vec![pool]);
        let issuer =
            json!({"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${UserPool}"});
        assert_eq!(
            resources.resolve(&issuer, "eu-central-1").as_deref(),
            Some("https://cognito-idp.eu-central-1.amazonaws.com/eu_1")
        );
        assert_eq!(
            resources
                .resolve(&json!({"Ref": "UserPool"}), "r")
                .as_deref(),
            Some("eu_1")
        );
        assert_eq!(resources.resolve(&json!({"Ref": "Other"}), "r"), None);
    }
}
