//! The hosted zone in which tenants' names are.

use crate::plan::{Plan, Route};
use aws_sdk_route53::Client;
use aws_sdk_route53::error::{BuildError, ProvideErrorMetadata as _};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use std::collections::BTreeSet;

/// What Route 53 says where a record is to be deleted that is not there in exactly this form.
const REFUSED: &str = "InvalidChangeBatch";
/// How long a resolver may remember a name: so long a move takes at least.
const TTL_S: i64 = 60;

/// Changes the names below a domain.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    client: Client,
    id: String,
    domain: String,
    target: Target,
}

/// What the region's names lead to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The host: the gateway's domain of the region.
    pub(crate) host: String,
    /// The hosted zone of the host, which AWS answers for without a further question; empty where
    /// it has none.
    pub(crate) zone: String,
}

/// Why the zone is not as it has to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZoneError {
    #[error("the change cannot be asked for")]
    Unasked(#[source] BuildError),
    /// Without Route 53's own words: they repeat the names, which tenants may have chosen.
    #[error("the zone was not changed: {code}")]
    Unchanged { code: String },
}

impl Zone {
    /// The names below `domain` in the hosted zone `id`; without an id, none is ever written.
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

    /// Makes the zone say what is planned, with one call wherever that is possible.
    ///
    /// Route 53 deletes only the record that is named in full, target included, and it takes or
    /// refuses a call as a whole. So a name that another region has taken over survives, and so
    /// does a name that is not there: both are as they have to be. A call that is refused for one
    /// name is repeated for each alone. Returns the subdomains that cannot lead here: something else
    /// has such a name.
    pub(crate) async fn apply(&self, plan: &Plan) -> Result<BTreeSet<String>, ZoneError> {
        let changes = plan
            .iter()
            .map(|(subdomain, route)| self.change(subdomain, *route));
        let changes = changes
            .collect::<Result<Vec<Change>, BuildError>>()
            .map_err(ZoneError::Unasked)?;
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
            .map_err(ZoneError::Unasked)?;
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

    /// The record of a subdomain, the same in every call: a deletion names it in full.
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
