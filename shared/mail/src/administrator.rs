//! The notice to everybody in a tenant about a new administrator from the provider.

use crate::letter::Letter;
use kernel::{Alias, Language};
use tenancy::Addresses;

impl Letter {
    /// The notice that the provider gives a workspace a new administrator. It does not name the
    /// person, whom only the workspace's administrators can see.
    #[must_use]
    pub fn new_administrator(alias: &Alias, addresses: &Addresses, language: Language) -> Self {
        let place = addresses
            .url(alias.as_str())
            .unwrap_or_else(|| alias.to_string());
        match language {
            Language::En => Self::new("A new administrator for your workspace", english(&place)),
            Language::De => Self::new(
                "Neue Administration für Ihren Arbeitsbereich",
                german(&place),
            ),
        }
    }
}

fn english(place: &str) -> String {
    format!(
        "The provider of this service has let a new administrator into your workspace:\n\
         \n\
         {place}\n\
         \n\
         It does so when a workspace has asked for it, for example because none of its administrators can sign in any \
         more. The workspace's audit trail says when it was done.\n\
         If your workspace did not ask for this, tell its administrators and the provider.\n"
    )
}

fn german(place: &str) -> String {
    format!(
        "Der Anbieter dieses Dienstes hat eine neue Administratorin oder einen neuen Administrator in Ihren \
         Arbeitsbereich gelassen:\n\
         \n\
         {place}\n\
         \n\
         Das geschieht, wenn ein Arbeitsbereich darum gebeten hat, etwa weil niemand mehr sich anmelden kann, der ihn \
         verwaltet. Wann es geschehen ist, steht im Protokoll des Arbeitsbereichs.\n\
         Wenn Ihr Arbeitsbereich nicht darum gebeten hat, sagen Sie es seiner Administration und dem Anbieter.\n"
    )
}
