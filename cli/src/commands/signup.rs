//! `meridian signup`: a tenant's sign-up in a region.

use super::{Target, print, print_json};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use kernel::BillingAnchor;
use meridian::client::signup::{
    Details, Operation, confirm, form, mailed_code, read, resend, retry_provisioning, sign_up,
};
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// Signs up a tenant in a region, and follows the sign-up.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  meridian signup start --region eu-central-1 --organisation 'Example Ltd' --name 'A. Person' \\
      --email admin@example.org --plan pro --agree
  meridian signup confirm --region eu-central-1 ID --from-mailbox admin@example.org
  meridian signup show --region eu-central-1 ID")]
pub(crate) enum Signup {
    /// Registers an organisation with its administrator.
    Start(Start),
    /// Confirms the administrator's address with the code that was mailed.
    Confirm(Confirm),
    /// Shows the progress of a sign-up, and the next possible step.
    Show(Handle),
    /// Mails another code.
    Resend(Handle),
    /// Requests the tenant's resources from the application again, after it has failed.
    Retry(Handle),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian signup show --region eu-central-1 ID
  meridian signup resend --region eu-central-1 ID
  meridian signup retry --region eu-central-1 ID")]
pub(crate) struct Handle {
    #[command(flatten)]
    target: Target,
    /// The sign-up's id.
    id: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian signup start --region eu-central-1 --organisation 'Example Ltd' --name 'A. Person' \\
      --email admin@example.org --plan pro --agree
  echo 'a long Password 1' | meridian signup start --region us-east-1 ...   the password from a pipe")]
pub(crate) struct Start {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    applicant: Applicant,
}

/// The applicant: organisation, administrator and plan.
#[derive(Debug, Args)]
pub(super) struct Applicant {
    /// The organisation's name.
    #[arg(long)]
    organisation: String,
    /// The administrator's name.
    #[arg(long)]
    name: String,
    /// The administrator's email address.
    #[arg(long)]
    email: String,
    /// The plan.
    #[arg(long, default_value = "starter")]
    plan: String,
    /// The time at which billed days and months start, in UTC, such as 23:00; from 12:00 on, it is
    /// the evening before. It cannot be changed later.
    #[arg(long, value_name = "HH:MM", default_value = "00:00")]
    billing_anchor: BillingAnchor,
    /// The administrator agrees to the current terms and data-processing agreement.
    #[arg(long, required = true)]
    agree: bool,
    /// The key that makes repeated attempts one sign-up; default: a new key.
    #[arg(long)]
    idempotency_key: Option<String>,
}

impl Applicant {
    /// The request's idempotency key and form. The form agrees to the documents that the region of
    /// `api_url` requires.
    pub(super) async fn fill_in(self, api_url: &str) -> Result<(String, Details)> {
        let documents = form(api_url).await?.documents;
        let key = self
            .idempotency_key
            .unwrap_or_else(|| meridian::new_uuid().to_string());
        let details = Details {
            organisation: self.organisation,
            name: self.name,
            email: self.email,
            password: read_password()?,
            plan: self.plan,
            billing_anchor: Some(self.billing_anchor.to_string()),
            terms: documents.terms,
            data_processing: documents.data_processing,
        };
        Ok((key, details))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meridian signup confirm --region eu-central-1 ID --code 123456
  meridian signup confirm --region eu-central-1 ID --from-mailbox admin@example.org   local stack only")]
pub(crate) struct Confirm {
    #[command(flatten)]
    target: Target,
    /// The sign-up's id.
    id: String,
    /// The code from the mail.
    #[arg(long, required_unless_present = "from_mailbox")]
    code: Option<String>,
    /// Read the code from the local stack's mailbox of this address.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "code")]
    from_mailbox: Option<String>,
}

pub(crate) async fn run(command: Signup) -> Result<ExitCode> {
    match command {
        Signup::Start(start) => self::start(start).await,
        Signup::Confirm(confirm) => self::confirm_signup(confirm).await,
        Signup::Show(Handle { target, id }) => {
            show(&read(&target.region()?.api_url, &id).await?, target.json)
        }
        Signup::Resend(Handle { target, id }) => {
            show(&resend(&target.region()?.api_url, &id).await?, target.json)
        }
        Signup::Retry(Handle { target, id }) => show(
            &retry_provisioning(&target.region()?.api_url, &id).await?,
            target.json,
        ),
    }
}

async fn start(start: Start) -> Result<ExitCode> {
    let region = start.target.region()?;
    let (key, details) = start.applicant.fill_in(&region.api_url).await?;
    let operation = sign_up(&region.api_url, &key, &details).await;
    let operation =
        operation.with_context(|| format!("to try again, add --idempotency-key {key}"))?;
    show(&operation, start.target.json)
}

async fn confirm_signup(command: Confirm) -> Result<ExitCode> {
    let region = command.target.region()?;
    let code = match (command.code, command.from_mailbox) {
        (Some(code), _) => code,
        (None, Some(address)) => mailed_code(&command.target.mail_url()?, &address).await?,
        (None, None) => anyhow::bail!("a code is needed"),
    };
    show(
        &confirm(&region.api_url, &command.id, &code).await?,
        command.target.json,
    )
}

/// Reads the password from standard input, never from the command line, which other processes can
/// see.
#[expect(clippy::print_stderr, reason = "a prompt")]
fn read_password() -> Result<String> {
    if std::io::stdin().is_terminal() {
        eprint!("Password (it is shown): ");
    }
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("no password on standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn show(operation: &Operation, json: bool) -> Result<ExitCode> {
    if json {
        print_json(operation)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(format!(
        "sign-up   {}\nstate     {} (next: {})",
        operation.id, operation.state, operation.next
    ));
    print(format!(
        "alias     {}\nusername  {}",
        operation.alias, operation.username
    ));
    for step in &operation.steps {
        let reason = step
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        print(format!("  {:<13} {}{reason}", step.name, step.state));
    }
    Ok(ExitCode::SUCCESS)
}
