//! Puts each sign-in into the queue that is metered.

use crate::adapters::Adapters;
use crate::logins::SendError;
use aws_lambda_events::event::cognito::CognitoEventUserPoolsPostAuthentication as PostAuthentication;
use runtime::Failure;
use tenancy::{Login, Username};

/// Lets every sign-in pass. One that cannot be put into the queue is not metered: a person who
/// knows the password is not kept out because a queue is away. The log says how many those are, and
/// an alarm watches it.
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

/// The template's metric counts the lines with this field.
fn not_metered(error: &SendError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(
        unmetered_logins = 1,
        error = error.to_string(),
        cause,
        "a sign-in is not metered"
    );
}
