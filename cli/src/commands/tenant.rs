//! `meridian tenant`: operators' commands for one tenant.

use super::{Place, print, print_json};
use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use meridian::client::operator::Operator;
use serde_json::Value;
use std::process::ExitCode;

/// Shows, suspends and reactivates a tenant, as an operator at home; gives it a new administrator
/// in its region.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian tenant show ID
  meridian tenant suspend ID --reason dunning
  meridian tenant reactivate ID --reason dunning
  meridian tenant add-administrator ID --email ada@engines.example")]
pub(crate) enum Tenant {
    /// Shows a tenant's region, status, and its desired and applied policy.
    Show(One),
    /// Suspends a tenant: its people can no longer sign in or refresh a token.
    Suspend(Suspend),
    /// Reactivates a tenant, unless it is suspended for the other reason too.
    Reactivate(Reactivate),
    /// Gives a tenant a new administrator, if its own cannot sign in any more.
    ///
    /// A user of the tenant becomes an administrator at once; anybody else is invited by mail. The
    /// address is sent to the tenant's region only. The tenant's audit trail records the change,
    /// and everybody in the tenant is notified by mail.
    AddAdministrator(AddAdministrator),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian tenant show 01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f --json")]
pub(crate) struct One {
    /// The tenant's id.
    id: String,
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian tenant suspend 01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f --reason dunning")]
pub(crate) struct Suspend {
    #[command(flatten)]
    one: One,
    /// The reason of the suspension.
    #[arg(long, value_enum, default_value_t = Reason::Operator)]
    reason: Reason,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian tenant reactivate 01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f --reason dunning")]
pub(crate) struct Reactivate {
    #[command(flatten)]
    one: One,
    /// The reason that no longer applies.
    #[arg(long, value_enum, default_value_t = Reason::Operator)]
    reason: Reason,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian tenant add-administrator 01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f --email ada@engines.example
  meridian tenant add-administrator 01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f --email ada@engines.example --region eu-central-1")]
pub(crate) struct AddAdministrator {
    #[command(flatten)]
    one: One,
    /// The person's email address.
    #[arg(long)]
    email: String,
    /// The tenant's region; default: home looks it up.
    #[arg(long)]
    region: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    Operator,
    Dunning,
}

impl Reason {
    const fn code(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Dunning => "dunning",
        }
    }
}

pub(crate) async fn run(command: Tenant) -> Result<ExitCode> {
    let (one, answer) = match command {
        Tenant::AddAdministrator(arguments) => return add_administrator(&arguments).await,
        Tenant::Show(one) => {
            let answer = operator(&one).await?.tenant(&one.id).await?;
            (one, answer)
        }
        Tenant::Suspend(Suspend { one, reason }) => {
            let answer = operator(&one)
                .await?
                .suspend(&one.id, reason.code())
                .await?;
            (one, answer)
        }
        Tenant::Reactivate(Reactivate { one, reason }) => {
            let answer = operator(&one)
                .await?
                .reactivate(&one.id, reason.code())
                .await?;
            (one, answer)
        }
    };
    if one.json {
        print_json(&answer)?;
    } else {
        show(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

async fn add_administrator(arguments: &AddAdministrator) -> Result<ExitCode> {
    let AddAdministrator { one, email, region } = arguments;
    let deployment = one.place.deployment()?;
    let region = match region {
        Some(region) => region.clone(),
        None => {
            let tenant = operator(one).await?.tenant(&one.id).await?;
            tenant["region"]
                .as_str()
                .context("home does not know the tenant's region")?
                .to_owned()
        }
    };
    let answer = Operator::give_administrator(deployment.region(&region)?, &one.id, email).await?;
    if one.json {
        print_json(&answer)?;
    } else if answer["state"] == "invited" {
        let until = answer["valid_until"].as_str().unwrap_or_default();
        print(format!(
            "invited; the code was mailed and can be used until {until}"
        ));
    } else {
        print("the person is an administrator now");
    }
    Ok(ExitCode::SUCCESS)
}

async fn operator(one: &One) -> Result<Operator> {
    let deployment = one.place.deployment()?;
    Operator::connect(deployment.region(&deployment.home)?).await
}

fn show(tenant: &Value) {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    for member in [
        "tenant",
        "region",
        "alias",
        "plan",
        "status",
        "reason",
        "changed_at",
        "erased_at",
    ] {
        if !tenant[member].is_null() {
            print(format!("{member:<11} {}", text(&tenant[member])));
        }
    }
    let policy = &tenant["policy"];
    let wanted = &policy["desired"];
    print(format!(
        "policy      version {} of plan {}, suspension: {}",
        text(&wanted["version"]),
        text(&wanted["plan"]),
        if wanted["suspension"].is_null() {
            "none".to_owned()
        } else {
            text(&wanted["suspension"])
        }
    ));
    print(format!(
        "            applied: version {}",
        text(&policy["applied_version"])
    ));
}
