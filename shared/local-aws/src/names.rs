//! The DNS names of tenants: Route 53, which is one service for all regions.
//!
//! Each region's emulator has its own hosted zone, where it checks the permission to change a
//! record. Accepted changes then apply to all regions: in memory, from which the gateway resolves
//! names, and in the hosted zone of home, where they are stored. While home is down, names are
//! still resolved and changed, and the changes are written to home later.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::config::timeout::TimeoutConfig;
use aws_sdk_route53::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::sync::Notify;

use super::upstream::{Answer, Request};
use super::xml::{every, inside};

/// The parent domain of tenants' names; every name below it resolves to this machine.
pub const DOMAIN: &str = "localhost";
/// The placeholder of the tenant's alias in the pattern of addresses.
const ALIAS: &str = "{alias}";
/// The code with which Route 53 refuses a change that does not fit the current records.
const REFUSED: &str = "InvalidChangeBatch";
/// How long home may take to answer before it counts as down, in milliseconds.
const HOME_MS: u64 = 2_000;
/// The pause before home is called again, in milliseconds.
const PAUSE_MS: u64 = 500;

/// The address of a tenant, with `{alias}` in place of the tenant's alias.
pub fn address(gateway_port: u16) -> String {
    format!("http://{ALIAS}.{DOMAIN}:{gateway_port}")
}

/// The id of a region's hosted zone for tenants' names, which is created if there is none.
///
/// # Errors
/// When the region refuses.
pub async fn zone(config: &SdkConfig) -> Result<String> {
    let client = Client::new(config);
    let listed = client
        .list_hosted_zones_by_name()
        .dns_name(DOMAIN)
        .send()
        .await
        .context("ListHostedZonesByName")?;
    let found = listed
        .hosted_zones()
        .iter()
        .find(|zone| zone.name().trim_end_matches('.') == DOMAIN);
    let id = match found {
        Some(zone) => zone.id().to_owned(),
        None => {
            let made = client
                .create_hosted_zone()
                .name(DOMAIN)
                .caller_reference(DOMAIN)
                .send()
                .await;
            made.context("CreateHostedZone")?
                .hosted_zone()
                .context("no hosted zone was made")?
                .id()
                .to_owned()
        }
    };
    Ok(id.trim_start_matches("/hostedzone/").to_owned())
}

/// Whether a call changes the records of a hosted zone.
pub fn is_change(request: &Request) -> bool {
    let path = request
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    request.method == axum::http::Method::POST
        && path.contains("/hostedzone/")
        && path.ends_with("/rrset")
}

type Key = (String, String);
type Records = BTreeMap<Key, ResourceRecordSet>;

/// The current records, and home, where they are stored.
#[derive(Debug)]
pub struct Names {
    home: Client,
    zone: String,
    records: Mutex<Records>,
    unwritten: Mutex<VecDeque<Change>>,
    changed: Notify,
}

impl Names {
    /// The names stored in a hosted zone of home; `config` is for home's emulator.
    pub fn new(config: &SdkConfig, zone: String) -> Self {
        let limit = Duration::from_millis(HOME_MS);
        let timeouts = TimeoutConfig::builder().operation_timeout(limit).build();
        let config = aws_sdk_route53::config::Builder::from(config)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .build();
        let home = Client::from_conf(config);
        Self {
            home,
            zone,
            records: Mutex::default(),
            unwritten: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Loads the records of home, then writes changes there in order, for as long as the process
    /// lives. While home is down, it retries.
    pub async fn replicate(&self) {
        while self.load().await.is_err() {
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
        }
        loop {
            let next = self
                .unwritten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .front()
                .cloned();
            let Some(change) = next else {
                self.changed.notified().await;
                continue;
            };
            match self.write(change).await {
                Ok(()) => drop(
                    self.unwritten
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front(),
                ),
                Err(_) => tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await,
            }
        }
    }

    /// Loads the records of home, except those that have changed since.
    async fn load(&self) -> Result<()> {
        let mut start: Option<(String, RrType)> = None;
        loop {
            let (name, kind) = start.unzip();
            let page = self
                .home
                .list_resource_record_sets()
                .hosted_zone_id(&self.zone);
            let page = page
                .set_start_record_name(name)
                .set_start_record_type(kind)
                .send()
                .await;
            let page = page.context("ListResourceRecordSets")?;
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            for record in page.resource_record_sets() {
                records.entry(key(record)).or_insert_with(|| record.clone());
            }
            start = page
                .next_record_name()
                .map(str::to_owned)
                .zip(page.next_record_type().cloned());
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Changes the zone of home. A refused deletion counts as done: an earlier attempt succeeded
    /// without a response in time, or the record was changed in home's own emulator.
    async fn write(&self, change: Change) -> Result<()> {
        let is_deletion = *change.action() == ChangeAction::Delete;
        let batch = ChangeBatch::builder().changes(change).build()?;
        let call = self
            .home
            .change_resource_record_sets()
            .hosted_zone_id(&self.zone)
            .change_batch(batch);
        match call.send().await.map_err(SdkError::into_service_error) {
            Err(error) if is_deletion && error.code() == Some(REFUSED) => Ok(()),
            written => written.map(|_| ()).context("ChangeResourceRecordSets"),
        }
    }

    /// Applies a change that the region's own emulator has accepted to all regions. Returns the
    /// emulator's response, or a refusal if it deletes a record that another region has taken over.
    pub fn change(&self, request: &Request, answer: Answer) -> Answer {
        let body = String::from_utf8_lossy(&request.body);
        let changed = changes(&body).and_then(|changes| {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            *records = after(&records, &changes)?;
            Ok(changes)
        });
        match changed {
            Ok(changes) => {
                self.unwritten
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(changes);
                self.changed.notify_one();
                answer
            }
            Err(error) => refusal(&error.to_string()),
        }
    }

    /// The host that a name points to; `None` if the name has no record.
    pub fn resolve(&self, host: &str) -> Option<String> {
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |kind: &str| records.get(&(normal(host), kind.to_owned()));
        let alias = named("A")
            .and_then(ResourceRecordSet::alias_target)
            .map(AliasTarget::dns_name);
        let target = alias.or_else(|| Some(named("CNAME")?.resource_records().first()?.value()))?;
        Some(target.trim_end_matches('.').to_ascii_lowercase())
    }
}

/// A name in comparable form: lower case, without the final dot.
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn key(record: &ResourceRecordSet) -> Key {
    (normal(record.name()), record.r#type().as_str().to_owned())
}

/// Whether two records of one name and type point to the same host.
fn is_same(one: &ResourceRecordSet, other: &ResourceRecordSet) -> bool {
    let target = |record: &ResourceRecordSet| {
        record.alias_target().map(|target| {
            (
                target.hosted_zone_id().to_owned(),
                normal(target.dns_name()),
            )
        })
    };
    (one.ttl(), one.resource_records(), target(one))
        == (other.ttl(), other.resource_records(), target(other))
}

/// The records after changes, of which all apply or none.
fn after(records: &Records, changes: &[Change]) -> Result<Records> {
    let mut records = records.clone();
    for change in changes {
        let Some(record) = change.resource_record_set() else {
            continue;
        };
        let held = records.get(&key(record));
        if *change.action() == ChangeAction::Delete {
            let named = format!("[name='{}', type='{}']", record.name(), record.r#type());
            let held = held.with_context(|| {
                format!("Tried to delete resource record set {named} but it was not found")
            })?;
            anyhow::ensure!(
                is_same(held, record),
                "Tried to delete resource record set {named} but the values provided do not match the current values"
            );
            records.remove(&key(record));
        } else {
            records.insert(key(record), record.clone());
        }
    }
    Ok(records)
}

/// Reads the body of `ChangeResourceRecordSets`.
fn changes(body: &str) -> Result<Vec<Change>> {
    every(body, "Change").map(change).collect()
}

fn change(xml: &str) -> Result<Change> {
    let needed =
        |element: &str| inside(xml, element).with_context(|| format!("a change without {element}"));
    let record = ResourceRecordSet::builder()
        .name(needed("Name")?)
        .r#type(RrType::from(needed("Type")?));
    let record = match inside(xml, "AliasTarget") {
        Some(target) => {
            let part = |element: &str| {
                inside(target, element).with_context(|| format!("an alias without {element}"))
            };
            let target = AliasTarget::builder()
                .hosted_zone_id(part("HostedZoneId")?)
                .dns_name(part("DNSName")?)
                .evaluate_target_health(part("EvaluateTargetHealth")? == "true");
            record.alias_target(target.build()?)
        }
        None => {
            let values =
                every(xml, "Value").map(|value| ResourceRecord::builder().value(value).build());
            let values = values.collect::<Result<Vec<_>, _>>()?;
            record
                .ttl(needed("TTL")?.parse()?)
                .set_resource_records(Some(values))
        }
    };
    let action = ChangeAction::from(needed("Action")?);
    Ok(Change::builder()
        .action(action)
        .resource_record_set(record.build()?)
        .build()?)
}

/// A refusal in Route 53's form.
fn refusal(message: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error>\
         <Type>Sender</Type><Code>{REFUSED}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Answer {
        status: StatusCode::BAD_REQUEST,
        headers,
        body: Bytes::from(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "23456789abcd.localhost";

    fn request(action: &str, host: &str) -> String {
        format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
             <Changes><Change><Action>{action}</Action><ResourceRecordSet><Name>{NAME}</Name><Type>CNAME</Type>\
             <TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{host}</Value></ResourceRecord></ResourceRecords>\
             </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        )
    }

    fn names() -> Names {
        Names::new(
            &crate::sdk::config("us-east-1", "http://127.0.0.1:9"),
            "Z1".to_owned(),
        )
    }

    fn send(names: &Names, body: &str) -> StatusCode {
        let request = Request {
            method: axum::http::Method::POST,
            path: "/2013-04-01/hostedzone/Z1/rrset/".to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        assert!(is_change(&request));
        let taken = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        names.change(&request, taken).status
    }

    #[test]
    fn the_last_region_that_writes_a_name_has_it() {
        let names = names();
        let check = |body: &str, status: StatusCode, leads_to: Option<&str>| {
            assert_eq!(send(&names, body), status, "{body}");
            assert_eq!(
                names.resolve("23456789ABCD.localhost:20001").as_deref(),
                leads_to,
                "{body}"
            );
        };
        let (eu, us) = (
            "a1.execute-api.eu-central-1.amazonaws.com",
            "b2.execute-api.us-west-2.amazonaws.com",
        );
        check(&request("DELETE", eu), StatusCode::BAD_REQUEST, None);
        check(&request("UPSERT", eu), StatusCode::OK, Some(eu));
        check(&request("UPSERT", us), StatusCode::OK, Some(us));
        check(&request("DELETE", eu), StatusCode::BAD_REQUEST, Some(us));
        check(&request("DELETE", us), StatusCode::OK, None);
        assert_eq!(names.resolve("localhost"), None);
    }

    #[test]
    fn an_alias_leads_to_its_host() {
        let names = names();
        let body = format!(
            "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>{NAME}.</Name><Type>A</Type><AliasTarget>\
             <HostedZoneId>Z2</HostedZoneId><DNSName>d-1.execute-api.eu-central-1.amazonaws.com.</DNSName>\
             <EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget></ResourceRecordSet></Change>"
        );
        assert_eq!(send(&names, &body), StatusCode::OK);
        assert_eq!(
            names.resolve(NAME).as_deref(),
            Some("d-1.execute-api.eu-central-1.amazonaws.com")
        );
    }

    #[test]
    fn a_batch_of_changes_applies_as_a_whole() {
        let names = names();
        let both =
            request("UPSERT", "a").replace(NAME, "other.localhost") + &request("DELETE", "b");
        assert_eq!(send(&names, &both), StatusCode::BAD_REQUEST);
        assert_eq!(names.resolve("other.localhost"), None);
    }
}
