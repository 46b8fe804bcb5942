//! The SES adapter: mails to the people of a region.
//!
//! Invariant: an address, a name or a code is in the mail itself and nowhere else. SES quotes
//! addresses in its own words, so an error holds an exception's code at most. Stores nothing, and
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

/// Sends mails by the SES of a region.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    sender: Sender,
}

/// Whom mails are from, as an operator sets it: an address that SES has verified, or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Option<EmailAddress>);

impl FromStr for Sender {
    type Err = Invalid;

    /// An address, or nothing at all.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            Ok(Self(None))
        } else {
            text.parse().map(|address| Self(Some(address)))
        }
    }
}

/// Why a mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// There is nobody whom mails could be from.
    #[error("mails have no sender here")]
    NoSender,
    /// SES refused the mail, or was not reached.
    #[error("the mail was not taken: {}", code.as_deref().unwrap_or("no answer"))]
    NotTaken {
        /// The exception's name, where there was an answer.
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

    /// Whether there is somebody whom mails could be from.
    #[must_use]
    pub const fn can_send(&self) -> bool {
        self.sender.0.is_some()
    }

    /// Sends a letter. Sent again after an error, it may arrive twice.
    ///
    /// # Errors
    /// When there is no sender, or SES did not take the mail.
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

/// A letter as SES takes it: plain text in UTF-8.
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
