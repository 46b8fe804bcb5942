//! Deploys the template into one region, and creates the resources that the emulator lacks.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::TemplateStage;
use deployment::regions::{Fleet, Region};
use deployment::stack::DeployedStack;
use deployment::{Addresses, DeployedRegion};
use kernel::Mode;
use serde_json::Value;

use super::cloudformation::deploy;
use super::conditions::Conditions;
use super::control::Link;
use super::local_json::LocalRegion;
use super::packages::Package;
use super::ports::RegionPorts;
use super::progress::Step;
use super::upload::{BUCKET, upload};
use super::{links, names, routes, sdk, template};

/// The stack's name, which is also the template's `Name`.
pub const NAME: &str = "meridian";
/// The sender of all mails.
const MAIL_FROM: &str = "no-reply@meridian.example";

/// The inputs of one region's deployment.
#[derive(Debug)]
pub struct RegionDeployment<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// The region.
    pub region: &'a Region,
    /// Its ports.
    pub ports: &'a RegionPorts,
    /// The port of the gateway of tenants' names.
    pub gateway: u16,
    /// The id of the hosted zone for tenants' names in this region.
    pub zone: &'a str,
    /// The template as it is in the repository.
    pub template: &'a Value,
    /// The functions' packages.
    pub packages: &'a [Package],
}

/// The result of a deployment.
#[derive(Debug)]
pub struct Deployed {
    /// Addresses, names and clients.
    pub region: DeployedRegion,
    /// Where the emulator answers.
    pub local: LocalRegion,
    /// The id of each HTTP API by its logical id.
    pub apis: BTreeMap<String, String>,
    /// The links that start in the region.
    pub links: Vec<Link>,
    /// A summary of the deployment for people.
    pub summary: String,
}

impl RegionDeployment<'_> {
    /// Deploys the template, then creates routes and links, which the emulator lacks.
    ///
    /// # Errors
    /// When a resource fails: the message holds CloudFormation's reason.
    pub async fn run(&self, step: &Step) -> Result<Deployed> {
        let local = self.local_region();
        let config = sdk::config(self.region.code.as_str(), &local.emulator_url);
        let client = Client::new(&config);
        step.at("uploading");
        let code = self.region.code.as_str();
        let template = upload(&config, code, self.template, self.packages).await?;
        let url = format!("{}/{BUCKET}/{}", local.emulator_url, template.key);
        let parameters = self.parameters();
        step.at("deploying");
        let did = deploy(&client, &url, &parameters, step).await?;
        let stack = DeployedStack::read(&config, NAME)
            .await?
            .context("the stack is gone")?;
        step.at("routes");
        let apis = self
            .serve_routes(&config, &client, &stack, parameters)
            .await?;
        verify_sender(&config).await?;
        step.at("links");
        let links = links::prepare(code, &config).await?;
        let addresses = self.addresses(&stack, &local);
        let region = DeployedRegion::describe(&config, &stack, self.region, addresses).await?;
        let functions = region.functions.len();
        let summary = format!(
            "{did}, {functions} functions, {} routes",
            apis.values().map(|(_, n)| n).sum::<usize>()
        );
        let apis = apis
            .into_iter()
            .map(|(logical, (id, _))| (logical, id))
            .collect();
        Ok(Deployed {
            region,
            local,
            apis,
            links,
            summary,
        })
    }

    /// The values of this region for the parameters that the template declares.
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
            // Every request comes from this machine, so the limit per source counts all tests
            // together.
            ("SignupsPerSourcePerHour", "2000".to_owned()),
            ("LookupsPerSourcePerHour", "2000".to_owned()),
            ("MailsPerAddressPerHour", "60".to_owned()),
            ("UnknownAddressesPerSourcePerHour", "2000".to_owned()),
            ("HandoverSecret", "only-for-this-machine".to_owned()),
            (
                "SubdomainSecret",
                "subdomains-only-for-this-machine".to_owned(),
            ),
            ("MailFrom", MAIL_FROM.to_owned()),
            ("TenantDomain", names::DOMAIN.to_owned()),
            ("TenantAddress", names::address(self.gateway)),
            ("HostedZoneId", self.zone.to_owned()),
            // Deploys the worked example where a region calls an application plane.
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
        stack: &DeployedStack,
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
        let arns = stack
            .of_type("AWS::Lambda::Function")
            .map(|(logical, name)| {
                let arn = format!("arn:aws:lambda:{region}:000000000000:function:{name}");
                (logical.to_owned(), arn)
            });
        let arns: BTreeMap<String, String> = arns.collect();
        let gateway = aws_sdk_apigatewayv2::Client::new(config);
        let mut served = BTreeMap::new();
        for api in routes::extract(&processed, &conditions) {
            let Some(id) = stack.physical(&api.logical) else {
                continue;
            };
            let count = routes::apply(&gateway, id, &api, &arns, |value| {
                stack.resolve(value, region)
            })
            .await?;
            served.insert(api.logical.clone(), (id.to_owned(), count));
        }
        Ok(served)
    }

    /// The addresses on this machine instead of the stack's outputs, which name AWS's.
    fn addresses(&self, stack: &DeployedStack, local: &LocalRegion) -> Addresses {
        let served = |logical: &str, port: u16| {
            let deployed = stack.physical(logical);
            deployed.map(|_| format!("http://127.0.0.1:{port}"))
        };
        Addresses {
            api_url: format!("http://127.0.0.1:{}", self.ports.api),
            operator_api_url: served("OperatorApi", self.ports.operator_api),
            home_api_url: served("HomeApi", self.ports.home_api),
            token_url: format!("{}/oauth2/token", local.aws_endpoint_url),
        }
    }

    fn local_region(&self) -> LocalRegion {
        let emulator_url = format!("http://127.0.0.1:{}", self.ports.emulator);
        LocalRegion {
            aws_endpoint_url: format!("http://127.0.0.1:{}", self.ports.proxy),
            mail_url: format!("{emulator_url}/_ministack/ses/messages"),
            emulator_url,
        }
    }
}

/// Creates the email identity of the sender. On AWS, the owner of the domain does that once.
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
