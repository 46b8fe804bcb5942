//! The hosted zone of tenants' names.

use crate::plan::{Plan, Route};
use aws_sdk_route53::Client;
use aws_sdk_route53::error::{BuildError, ProvideErrorMetadata as _};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use std::collections::BTreeSet;

/// Route 53's error code for the deletion of a record that does not exist in exactly this form, and
/// for a name that a record of another kind has.
const REFUSED: &str = "InvalidChangeBatch";
/// How long a resolver may cache a name. A relocation takes at least as long.
const TTL_S: i64 = 60;

/// Changes the names below a domain.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    client: Client,
    id: String,
    domain: String,
    target: Target,
}

/// The target of the region's names.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The host: the gateway's domain of the region.
    pub(crate) host: String,
    /// The hosted zone of the host, for an alias record, which Route 53 resolves without a second
    /// query. Empty where the host has none.
    pub(crate) zone: String,
}

/// A failure to change the zone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZoneError {
    #[error("the change could not be built")]
    Malformed(#[source] BuildError),
    /// Without Route 53's message, which repeats the names: tenants may have chosen them.
    #[error("the zone was not changed: {code}")]
    Unchanged { code: String },
}

impl Zone {
    /// The names below `domain` in the hosted zone `id`. With an empty id, nothing is written.
    pub(crate) fn new(
        config: &aws_types::SdkConfig,
        id: String,
        domain: String,
        target: Target,
    ) -> Self {
        Self {
            client: Client::new(config),
            id,
            domain,
            target,
        }
    }

    /// Applies a plan to the zone, with one call where possible.
    ///
    /// Route 53 deletes only a record that the call names in full, target included, and accepts or
    /// refuses a call as a whole. So the deletion of a name that another region has overwritten, or
    /// that does not exist, is refused, which is right. After a refused call, each name is sent
    /// alone. Returns the subdomains that cannot route here because another record has the name.
    pub(crate) async fn apply(&self, plan: &Plan) -> Result<BTreeSet<String>, ZoneError> {
        let changes = plan
            .iter()
            .map(|(subdomain, route)| self.change(subdomain, *route));
        let changes = changes
            .collect::<Result<Vec<Change>, BuildError>>()
            .map_err(ZoneError::Malformed)?;
        match self.send(changes.clone()).await {
            Err(error) if is_refused(&error) => {}
            sent => return sent.map(|()| BTreeSet::new()),
        }
        let mut refused = BTreeSet::new();
        for ((subdomain, route), change) in plan.iter().zip(changes) {
            match self.send(vec![change]).await {
                Err(error) if is_refused(&error) && *route == Route::Here => {
                    refused.insert(subdomain.clone());
                }
                // The record does not exist, or is another region's.
                Err(error) if is_refused(&error) => {}
                sent => sent?,
            }
        }
        Ok(refused)
    }

    async fn send(&self, changes: Vec<Change>) -> Result<(), ZoneError> {
        if changes.is_empty() || self.id.is_empty() {
            return Ok(());
        }
        let batch = ChangeBatch::builder()
            .set_changes(Some(changes))
            .build()
            .map_err(ZoneError::Malformed)?;
        let call = self
            .client
            .change_resource_record_sets()
            .hosted_zone_id(&self.id)
            .change_batch(batch);
        call.send().await.map(|_| ()).map_err(|error| {
            let code = error.code().unwrap_or("no answer").to_owned();
            ZoneError::Unchanged { code }
        })
    }

    fn change(&self, subdomain: &str, route: Route) -> Result<Change, BuildError> {
        let action = match route {
            Route::Here => ChangeAction::Upsert,
            Route::Gone => ChangeAction::Delete,
        };
        Change::builder()
            .action(action)
            .resource_record_set(self.record(subdomain)?)
            .build()
    }

    /// The record of a subdomain. It is the same in every call, because a deletion names it in
    /// full.
    fn record(&self, subdomain: &str) -> Result<ResourceRecordSet, BuildError> {
        let Target { host, zone } = &self.target;
        let record = ResourceRecordSet::builder().name(format!("{subdomain}.{}", self.domain));
        if zone.is_empty() {
            let value = ResourceRecord::builder().value(host).build()?;
            return record
                .r#type(RrType::Cname)
                .ttl(TTL_S)
                .resource_records(value)
                .build();
        }
        let target = AliasTarget::builder()
            .hosted_zone_id(zone)
            .dns_name(host)
            .evaluate_target_health(false);
        record
            .r#type(RrType::A)
            .alias_target(target.build()?)
            .build()
    }
}

fn is_refused(error: &ZoneError) -> bool {
    matches!(error, ZoneError::Unchanged { code } if code == REFUSED)
}
