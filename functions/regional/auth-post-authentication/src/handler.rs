//! Queues each sign-in for metering.

use crate::adapters::Adapters;
use crate::logins::SendError;
use aws_lambda_events::event::cognito::CognitoEventUserPoolsPostAuthentication as PostAuthentication;
use runtime::Failure;
use tenancy::{Login, Username};

/// Passes every sign-in. One that cannot be queued is not metered: a person with the right password
/// is not locked out because a queue is unavailable. The log counts those sign-ins among the
/// failures of the regional set, which have an alarm.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: PostAuthentication,
) -> Result<PostAuthentication, Failure> {
    let header = &event.cognito_event_user_pools_header;
    if let Some(name) = header.user_name.as_deref() {
        let client = header.caller_context.client_id.clone().unwrap_or_default();
        let login = Login {
            account: Username::of_account(name),
            client,
            at: runtime::now(),
        };
        match adapters.logins.send(&login).await {
            Ok(()) => tracing::info!("signed in"),
            Err(error) => not_metered(&error),
        }
    }
    Ok(event)
}

/// Logs a sign-in that is not metered. The template's metric counts the lines with this field.
fn not_metered(error: &SendError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(
        unmetered_logins = 1,
        error = error.to_string(),
        cause,
        "a sign-in is not metered"
    );
}
