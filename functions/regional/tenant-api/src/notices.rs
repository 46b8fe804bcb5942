//! The queue of notices that are mailed to a tenant's people.

use crate::adapters::{TenantScope, store};
use crate::problems;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use kernel::TenantId;
use runtime::http::Problem;
use tenancy::AdministratorNotice;

/// The queue. It is encrypted with the region's key and read in the region only.
#[derive(Debug)]
pub(crate) struct NoticeQueue {
    client: Client,
    url: String,
}

impl NoticeQueue {
    /// The queue with a URL.
    pub(crate) fn new(config: &aws_types::SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Queues notices of a new administrator to all people of a tenant, a page of people with each
    /// message. A retry after an error notifies some of them twice.
    pub(crate) async fn notify_all(
        &self,
        scope: &TenantScope,
        tenant: TenantId,
    ) -> Result<(), Problem> {
        let mut after = None;
        loop {
            let page = scope
                .reader()
                .list_users(tenant, after.as_deref(), AdministratorNotice::PEOPLE_MAX)
                .await;
            let next = page.map_err(store)?.next;
            self.send(&AdministratorNotice { tenant, after }).await?;
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn send(&self, notice: &AdministratorNotice) -> Result<(), Problem> {
        let body = serde_json::to_string(notice).map_err(|error| Problem::internal(&error))?;
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await;
        sent.map(|_| ()).map_err(|error| {
            let code = error
                .as_service_error()
                .and_then(ProvideErrorMetadata::code);
            problems::notice_not_sent(code.unwrap_or("no answer"))
        })
    }
}
