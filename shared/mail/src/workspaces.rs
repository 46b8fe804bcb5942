//! The list of a person's workspaces, sent on request.

use crate::letter::Letter;
use crate::letter::quoted;
use kernel::{Alias, Language};
use tenancy::{Addresses, OrganisationName};

/// A workspace of the mail's recipient.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The organisation's name.
    pub organisation: &'a OrganisationName,
    /// The tenant's alias.
    pub alias: &'a Alias,
}

impl Letter {
    /// The mail with the recipient's workspaces: each by name and address, or by its alias if
    /// tenants have no addresses.
    #[must_use]
    pub fn workspaces(listed: &[Listed<'_>], addresses: &Addresses, language: Language) -> Self {
        let list: String = listed
            .iter()
            .map(|workspace| entry(workspace, addresses, language))
            .collect();
        match language {
            Language::En => Self::new("Your workspaces", english(&list)),
            Language::De => Self::new("Ihre Arbeitsbereiche", german(&list)),
        }
    }
}

fn entry(workspace: &Listed<'_>, addresses: &Addresses, language: Language) -> String {
    let place = addresses
        .url(workspace.alias.as_str())
        .unwrap_or_else(|| workspace.alias.to_string());
    format!("\n{}\n{place}\n", quoted(workspace.organisation, language))
}

fn english(list: &str) -> String {
    format!(
        "These are your workspaces in this region, each with the place where you sign in:\n\
         {list}\
         \n\
         This mail was asked for with your e-mail address. The list was shown to nobody.\n\
         If it was not you who asked, ignore this mail.\n"
    )
}

fn german(list: &str) -> String {
    format!(
        "Das sind Ihre Arbeitsbereiche in dieser Region, jeweils mit dem Ort der Anmeldung:\n\
         {list}\
         \n\
         Diese Mail wurde mit Ihrer E-Mail-Adresse angefordert. Die Liste wurde niemandem gezeigt.\n\
         Wenn Sie nicht danach gefragt haben, beachten Sie diese Mail nicht.\n"
    )
}
