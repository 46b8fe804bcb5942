//! What the mails say.

use kernel::{Alias, Role, Timestamp};
use std::fmt;
use tenancy::{InvitationCode, OrganisationName};

/// The text of a mail. Personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    subject: &'static str,
    text: String,
}

impl Letter {
    /// The invitation of a person to an organisation. Who invites is not named.
    #[must_use]
    pub fn invitation(
        organisation: &OrganisationName,
        alias: &Alias,
        role: Role,
        code: &InvitationCode,
        valid_until: Timestamp,
    ) -> Self {
        let role = match role {
            Role::Admin => "an administrator",
            Role::Member => "a member",
        };
        let text = format!(
            "You are invited to join this organisation as {role}:\n\
             \n\
             {organisation}\n\
             \n\
             To accept, enter this code where you sign up:\n\
             \n\
             Code: {code}\n\
             \n\
             From then on, sign in with your address to this workspace:\n\
             \n\
             Workspace: {alias}\n\
             \n\
             The code can be used once, until {until}.\n\
             If you did not expect this invitation, ignore this mail.\n",
            organisation = organisation.expose(),
            code = code.reveal(),
            until = valid_until.strftime("%Y-%m-%d %H:%M UTC"),
        );
        Self { subject: "You are invited", text }
    }

    /// The subject: nothing that anybody typed.
    #[must_use]
    pub const fn subject(&self) -> &'static str {
        self.subject
    }

    /// The text: for the mail, and nowhere else.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(..)")
    }
}
