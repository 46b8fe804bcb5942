//! The invitation of a person to an organisation.

use crate::letter::Letter;
use crate::letter::quoted;
use kernel::{Alias, Language, Role, Timestamp};
use tenancy::{Addresses, InvitationCode, OrganisationName};

/// The contents of an invitation. The inviting person is not named.
#[derive(Debug, Clone, Copy)]
pub struct Invited<'a> {
    /// The organisation that the person is invited to.
    pub organisation: &'a OrganisationName,
    /// The tenant's alias.
    pub alias: &'a Alias,
    /// The addresses of tenants' pages.
    pub addresses: &'a Addresses,
    /// The person's role.
    pub role: Role,
    /// The code that accepts the invitation.
    pub code: &'a InvitationCode,
    /// The end of its validity.
    pub valid_until: Timestamp,
}

impl Letter {
    /// The invitation of a person to an organisation.
    #[must_use]
    pub fn invitation(invited: &Invited<'_>, language: Language) -> Self {
        match language {
            Language::En => Self::new("You are invited", english(invited)),
            Language::De => Self::new("Sie sind eingeladen", german(invited)),
        }
    }
}

fn english(invited: &Invited<'_>) -> String {
    let role = match invited.role {
        Role::Admin => "an administrator",
        Role::Member => "a member",
    };
    format!(
        "You are invited to join this organisation as {role}:\n\
         \n\
         {organisation}\n\
         \n\
         To accept, enter this code where you sign up:\n\
         \n\
         Code: {code}\n\
         \n\
         From then on, sign in with your e-mail address to this workspace:\n\
         \n\
         Workspace: {alias}\n\
         {address}\
         \n\
         The code can be used once, until {until}.\n\
         If you did not expect this invitation, ignore this mail.\n",
        organisation = quoted(invited.organisation, Language::En),
        code = invited.code.reveal(),
        alias = invited.alias,
        address = line("Address", invited),
        until = invited.valid_until.strftime("%Y-%m-%d %H:%M UTC"),
    )
}

fn german(invited: &Invited<'_>) -> String {
    let role = match invited.role {
        Role::Admin => "mit Verwaltungsrechten",
        Role::Member => "als Mitglied",
    };
    format!(
        "Sie sind eingeladen, dieser Organisation {role} beizutreten:\n\
         \n\
         {organisation}\n\
         \n\
         Um anzunehmen, geben Sie diesen Code bei der Registrierung ein:\n\
         \n\
         Code: {code}\n\
         \n\
         Danach melden Sie sich mit Ihrer E-Mail-Adresse in diesem Arbeitsbereich an:\n\
         \n\
         Arbeitsbereich: {alias}\n\
         {address}\
         \n\
         Der Code gilt einmal, bis {until}.\n\
         Wenn Sie diese Einladung nicht erwartet haben, beachten Sie diese Mail nicht.\n",
        organisation = quoted(invited.organisation, Language::De),
        code = invited.code.reveal(),
        alias = invited.alias,
        address = line("Adresse", invited),
        until = invited.valid_until.strftime("%d.%m.%Y, %H:%M UTC"),
    )
}

/// The line with the tenant's address; empty if tenants have no addresses.
fn line(name: &str, invited: &Invited<'_>) -> String {
    let url = invited.addresses.url(invited.alias.as_str());
    url.map(|url| format!("{name}: {url}\n"))
        .unwrap_or_default()
}
