//! A region whose clock a test moves, and views of its state.

use crate::adapters::Adapters;
use crate::handler::handle;
use aws_sdk_dynamodb::types::AttributeValue;
use identity::Identity;
use kernel::{BillingAnchor, SegmentId, StatusReason, TenantId, TenantStatus, Timestamp};
use mail::Mailer;
use metering::{Segment, Usage, group};
use outbox::Outbox;
use runtime::Failure;
use serde_json::json;
use std::collections::HashMap;
use tenancy::{KeyDigest, TaskKind};
use tenant_store::{Erasure, MailTally, TenantStore};
use tenantkit::{Newcomer, People, Region, moment};
use usage_store::{RollupWriter, SegmentWriter, TermsReader, UsageEraser};

pub(super) const SENDER: &str = "hello@provider.example";
/// The mails that an address gets in an hour.
pub(super) const MAILS: u64 = 3;

pub(super) struct World {
    pub(super) region: Region,
    pub(super) people: People,
    pub(super) adapters: Adapters,
}

pub(super) async fn world(region: Region) -> World {
    let people = region.people().await;
    let adapters = Adapters {
        region: region.code.clone(),
        tenants: region.tenants.clone(),
        usage: UsageEraser::new(&region.aws.config, region.usage_table.clone()),
        identity: people.identity.clone(),
        catalogue: region.catalogue.clone(),
        settings: region.settings,
        mails: MailTally::new(region.tenants.reader().clone(), MAILS),
        mailer: Mailer::new(&region.aws.config, SENDER.parse().unwrap()),
        addresses: "https://{alias}.app.example.com".parse().unwrap(),
    };
    World {
        region,
        people,
        adapters,
    }
}

pub(super) fn case(name: &str) -> serde_json::Value {
    testkit::cases("tenant-lifecycle")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

impl World {
    /// Runs the function as the schedule does at a time.
    pub(super) async fn run(&self, time: &str) -> Result<(), Failure> {
        let mut event = case("valid-schedule");
        event["time"] = json!(time);
        handle(&self.adapters, serde_json::from_value(event).unwrap()).await
    }

    /// Closes an active tenant and lets grace and retention pass. Returns when it is to be erased.
    pub(super) async fn end(&self, tenant: TenantId) -> String {
        self.region
            .close(
                tenant,
                &KeyDigest::of("undo", "code"),
                moment("2026-11-20T12:00:00Z"),
            )
            .await;
        self.run("2026-12-20T12:00:00Z").await.unwrap();
        self.run("2026-12-20T12:05:00Z").await.unwrap();
        assert_eq!(
            self.region.tenant(tenant).await.status,
            TenantStatus::Closed
        );
        "2027-01-19T12:05:00Z".to_owned()
    }

    /// A tenant that was erased at 12:05, and whose resources were requested to be removed.
    pub(super) async fn erased(&self) -> TenantId {
        let ada = Newcomer::ada();
        self.region.activate(&ada).await;
        let time = self.end(ada.tenant).await;
        self.run(&time).await.unwrap();
        ada.tenant
    }

    /// The kinds of all scheduled tasks, due or not.
    pub(super) async fn scheduled(&self) -> Vec<TaskKind> {
        let due = self
            .region
            .tenants
            .reader()
            .load_due_tasks(moment("2100-01-01T00:00:00Z"), 1_000)
            .await
            .unwrap();
        due.into_iter().map(|due| due.kind).collect()
    }

    /// The attempts of all requests to remove resources.
    pub(super) async fn removals_requested(&self) -> Vec<u64> {
        let published = self
            .region
            .published("TenantDeprovisioningRequested.v1")
            .await;
        published
            .iter()
            .map(|event| event["data"]["attempt"].as_u64().unwrap())
            .collect()
    }

    /// The reasons of a tenant's published status changes, in order.
    pub(super) async fn reasons(&self, tenant: TenantId) -> Vec<StatusReason> {
        let published = self.region.published("TenantStatusChanged.v1").await;
        let of_tenant = published
            .iter()
            .filter(|event| event["data"]["tenant"] == tenant.to_string());
        of_tenant
            .map(|event| serde_json::from_value(event["data"]["reason"].clone()).unwrap())
            .collect()
    }

    pub(super) async fn accounts(&self) -> usize {
        self.account_names().await.len()
    }

    pub(super) async fn account_names(&self) -> Vec<String> {
        let client = aws_sdk_cognitoidentityprovider::Client::new(&self.region.aws.config);
        let listed = client
            .list_users()
            .user_pool_id(&self.people.pool.id)
            .send()
            .await
            .unwrap();
        listed
            .users()
            .iter()
            .map(|user| user.username().unwrap().to_owned())
            .collect()
    }

    /// Creates an account that Meridian has not created.
    pub(super) async fn plant(&self, name: &str, email: &str) {
        let client = aws_sdk_cognitoidentityprovider::Client::new(&self.region.aws.config);
        let email = aws_sdk_cognitoidentityprovider::types::AttributeType::builder()
            .name("email")
            .value(email);
        let planted = client
            .admin_create_user()
            .user_pool_id(&self.people.pool.id)
            .username(name);
        planted
            .user_attributes(email.build().unwrap())
            .send()
            .await
            .unwrap();
    }

    /// The number of items in the regional table with personal data of the newcomer's organisation.
    pub(super) async fn personal(&self, newcomer: &Newcomer) -> usize {
        let (_, domain) = newcomer.email.split_once('@').unwrap();
        let marks = [
            newcomer.organisation.as_str(),
            newcomer.name.as_str(),
            domain,
            "Babbage",
        ];
        let items = self.scan(&self.region.regional_table).await;
        items
            .iter()
            .filter(|item| marks.iter().any(|mark| format!("{item:?}").contains(mark)))
            .count()
    }

    /// The record of a tenant's erasure.
    pub(super) async fn erasure(&self, tenant: TenantId) -> Erasure {
        self.region
            .tenants
            .load_erasure(tenant)
            .await
            .unwrap()
            .unwrap()
    }

    /// The number of erasure records.
    pub(super) async fn erasures(&self) -> usize {
        let items = self.scan(&self.region.regional_table).await;
        items
            .iter()
            .filter(|item| item["pk"].as_s().unwrap().starts_with("ERASURE#"))
            .count()
    }

    pub(super) async fn audit_entries(&self, tenant: TenantId) -> u64 {
        let page = self
            .region
            .tenants
            .reader()
            .list_audit(tenant, None, 100)
            .await
            .unwrap();
        page.entries.len() as u64
    }

    pub(super) async fn usage_items(&self, tenant: TenantId) -> u64 {
        let items = self.scan(&self.region.usage_table).await;
        items
            .iter()
            .filter(|item| item["pk"].as_s().unwrap().contains(&tenant.to_string()))
            .count() as u64
    }

    /// The tenant's status as usage ingestion sees it.
    pub(super) async fn status_for_usage(&self, tenant: TenantId) -> TenantStatus {
        let (config, table) = (&self.region.aws.config, &self.region.regional_table);
        let terms = TermsReader::new(config, table.clone());
        terms.usage_terms(&[tenant]).await.unwrap()[&tenant].status
    }

    /// Stores an event, which is then pending until it is rolled up.
    pub(super) async fn send_usage(&self, tenant: TenantId) -> Vec<Segment> {
        let meter = &self.region.catalogue.meters[0];
        let id = runtime::new_uuid().to_string();
        let usage = Usage::counted(meter, tenant, "source", &id, Timestamp::UNIX_EPOCH);
        let segments = group(
            [usage],
            |_| BillingAnchor::default(),
            || SegmentId::from_uuid(runtime::new_uuid()),
        );
        let segment_writer =
            SegmentWriter::new(&self.region.aws.config, self.region.usage_table.clone());
        segment_writer
            .store(&segments, runtime::now())
            .await
            .unwrap();
        segments
    }

    pub(super) async fn roll_up(&self, tenant: TenantId, segments: &[Segment]) {
        let Region {
            aws,
            usage_table,
            outbox,
            code,
            ..
        } = &self.region;
        let (config, outbox) = (&aws.config, outbox.clone());
        let never = jiff::SignedDuration::from_hours(10_000);
        let rollups = RollupWriter::new(
            config,
            usage_table.clone(),
            outbox,
            code.clone(),
            never,
            runtime::new_uuid,
        );
        rollups
            .roll_up(tenant, segments, runtime::now())
            .await
            .unwrap();
    }

    /// Makes the user pool unreachable. Returns the working adapter.
    pub(super) fn cut_off_accounts(&mut self) -> Identity {
        let nowhere = Identity::new(
            &self.region.aws.config,
            "eu-west-1_nowhere".to_owned(),
            "nobody".to_owned(),
        );
        std::mem::replace(&mut self.adapters.identity, nowhere)
    }

    /// Makes the usage table unreachable. Returns the working adapter.
    pub(super) fn cut_off_usage(&mut self) -> UsageEraser {
        let config = &self.region.aws.config;
        let nowhere = UsageEraser::new(config, "no-such-table".to_owned());
        std::mem::replace(&mut self.adapters.usage, nowhere)
    }

    /// Makes the regional table unreachable.
    pub(super) fn cut_off_tenants(&mut self) {
        let config = &self.region.aws.config;
        let outbox = Outbox::new(config, "no-such-table".to_owned());
        self.adapters.tenants = TenantStore::new(config, "no-such-table".to_owned(), outbox);
    }

    /// Removes a tenant, as if a backup without it had been restored.
    pub(super) async fn remove_tenant(&self, tenant: TenantId) {
        let client = aws_sdk_dynamodb::Client::new(&self.region.aws.config);
        let delete = client.delete_item().table_name(&self.region.regional_table);
        let delete = delete.key("pk", AttributeValue::S(format!("TENANT#{tenant}")));
        delete
            .key("sk", AttributeValue::S("TENANT".to_owned()))
            .send()
            .await
            .unwrap();
    }

    /// The same person with a tenant id whose tasks are in the same partition as those of all
    /// others.
    pub(super) fn in_one_partition(newcomer: Newcomer) -> Newcomer {
        let mut bytes = *newcomer.tenant.as_uuid().as_bytes();
        bytes[15] &= !7;
        let tenant = format!("{:032x}", u128::from_be_bytes(bytes));
        let parts = [
            &tenant[..8],
            &tenant[8..12],
            &tenant[12..16],
            &tenant[16..20],
            &tenant[20..],
        ];
        Newcomer {
            tenant: parts.join("-").parse().unwrap(),
            ..newcomer
        }
    }

    async fn scan(&self, table: &str) -> Vec<HashMap<String, AttributeValue>> {
        let client = aws_sdk_dynamodb::Client::new(&self.region.aws.config);
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let page = client
                .scan()
                .table_name(table)
                .set_exclusive_start_key(start)
                .send()
                .await
                .unwrap();
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return items;
            }
        }
    }
}
