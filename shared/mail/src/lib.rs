//! The SES adapter: mails to the people of a region.
//!
//! Invariant: an address, a name or a code is in the mail and nowhere else. SES quotes addresses in
//! its messages, so an error holds at most an exception's code. The crate stores nothing and
//! decides nothing.

mod administrator;
mod code;
mod invitation;
mod letter;
mod workspaces;

pub use code::CodePurpose;
pub use invitation::Invited;
pub use letter::Letter;
pub use workspaces::Listed;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use kernel::Invalid;
use std::str::FromStr;
use tenancy::EmailAddress;

/// Sends mails through the SES of a region.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    sender: Sender,
}

/// The sender of mails, which an operator configures: an address that SES has verified, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Option<EmailAddress>);

impl FromStr for Sender {
    type Err = Invalid;

    /// Parses an address; an empty text is no sender.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            Ok(Self(None))
        } else {
            text.parse().map(|address| Self(Some(address)))
        }
    }
}

/// The reason why a mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// No sender is configured.
    #[error("mails have no sender here")]
    NoSender,
    /// SES refused the mail or was not reached.
    #[error("the mail was not taken: {}", code.as_deref().unwrap_or("no answer"))]
    NotTaken {
        /// The exception's name, if there was a response.
        code: Option<String>,
    },
}

impl Mailer {
    /// The SES of a region, for mails from one sender.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, sender: Sender) -> Self {
        Self {
            client: Client::new(config),
            sender,
        }
    }

    /// Whether a sender is configured.
    #[must_use]
    pub const fn can_send(&self) -> bool {
        self.sender.0.is_some()
    }

    /// Sends a letter. If the caller repeats it after an error, it may arrive twice.
    ///
    /// # Errors
    /// When no sender is configured, or SES did not accept the mail.
    pub async fn send(&self, to: &EmailAddress, letter: &Letter) -> Result<(), MailError> {
        let from = self.sender.0.as_ref().ok_or(MailError::NoSender)?;
        let content = content(letter).map_err(|_| MailError::NotTaken { code: None })?;
        let sent = self
            .client
            .send_email()
            .from_email_address(from.expose())
            .destination(Destination::builder().to_addresses(to.expose()).build())
            .content(content)
            .send()
            .await;
        let code = |error: &dyn ProvideErrorMetadata| error.code().map(str::to_owned);
        sent.map(|_| ()).map_err(|error| MailError::NotTaken {
            code: error.as_service_error().and_then(|e| code(e)),
        })
    }
}

/// A letter in SES's form: plain text in UTF-8.
fn content(letter: &Letter) -> Result<EmailContent, BuildError> {
    let utf8 = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(utf8(letter.text())?).build();
    let message = Message::builder()
        .subject(utf8(letter.subject())?)
        .body(body)
        .build();
    Ok(EmailContent::builder().simple(message).build())
}

#[cfg(test)]
mod tests;
