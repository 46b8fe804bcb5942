//! An HTTP client that counts the capacity units that DynamoDB would bill.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_types::SdkConfig;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Requests and capacity units, by operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<String, Count>);

/// Requests and capacity units of one operation.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    requests: u64,
    write_units: u64,
    read_units: f64,
    bytes: u64,
}

/// A tally that clients add to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<Mutex<Tally>>);

impl Counter {
    /// The configuration whose clients are counted.
    pub(crate) fn count(&self, config: &SdkConfig) -> SdkConfig {
        let inner = config.http_client().unwrap();
        let client = SharedHttpClient::new(CountingClient {
            inner,
            counter: self.clone(),
        });
        config.clone().into_builder().http_client(client).build()
    }

    /// Returns the counts since the last call.
    pub(crate) fn take(&self) -> Tally {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn add(&self, operation: &str, request: &[u8], response: &[u8]) {
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let (asked, answered) = (json(request), json(response));
        let mut tally = self.0.lock().unwrap();
        let count = tally.0.entry(operation.to_owned()).or_default();
        count.requests += 1;
        count.bytes += request.len() as u64 + response.len() as u64;
        count.write_units += write_units(operation, &asked);
        count.read_units += read_units(operation, &asked, &answered);
    }
}

impl Tally {
    /// All write request units.
    pub(crate) fn write_units(&self) -> f64 {
        self.0.values().map(|count| count.write_units as f64).sum()
    }

    /// All read request units.
    pub(crate) fn read_units(&self) -> f64 {
        self.0.values().map(|count| count.read_units).sum()
    }

    /// All requests.
    pub(crate) fn requests(&self) -> u64 {
        self.0.values().map(|count| count.requests).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| operation | requests | write units | read units | KB |\n|---|---:|---:|---:|---:|"
        )?;
        for (
            operation,
            Count {
                requests,
                write_units,
                read_units,
                bytes,
            },
        ) in &self.0
        {
            writeln!(
                f,
                "| {operation} | {requests} | {write_units} | {read_units} | {} |",
                bytes / 1_024
            )?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct CountingClient {
    inner: SharedHttpClient,
    counter: Counter,
}

#[derive(Debug)]
struct CountingConnector {
    inner: SharedHttpConnector,
    counter: Counter,
}

impl HttpClient for CountingClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountingConnector {
            inner,
            counter: self.counter.clone(),
        })
    }
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let asked = request.body().bytes().unwrap_or_default().to_vec();
        let (answer, counter) = (self.inner.call(request), self.counter.clone());
        HttpConnectorFuture::new(async move {
            let mut response: HttpResponse = answer.await?;
            let body = ByteStream::new(response.take_body()).collect().await;
            let body = body
                .map_err(|error| ConnectorError::io(error.into()))?
                .into_bytes();
            counter.add(&operation, &asked, &body);
            *response.body_mut() = SdkBody::from(body);
            Ok(response)
        })
    }
}

/// Write request units: one per started KB of an item, twice that in a transaction. Deleted and
/// updated items here are pending markers and counts, of less than 1 KB each.
fn write_units(operation: &str, asked: &Value) -> u64 {
    let put = |item: &Value| size(item).div_ceil(1_024).max(1);
    match operation {
        "PutItem" => put(&asked["Item"]),
        "UpdateItem" | "DeleteItem" => 1,
        "BatchWriteItem" => {
            let tables = asked["RequestItems"].as_object().into_iter().flatten();
            tables
                .flat_map(|(_, writes)| writes.as_array().unwrap())
                .map(|write| put(&write["PutRequest"]["Item"]))
                .sum()
        }
        "TransactWriteItems" => {
            let parts = asked["TransactItems"].as_array().unwrap().iter();
            2 * parts
                .map(|part| {
                    if part["Put"].is_object() {
                        put(&part["Put"]["Item"])
                    } else {
                        1
                    }
                })
                .sum::<u64>()
        }
        _ => 0,
    }
}

/// Read request units: one per started 4 KB of an item, one for a missing item, and for a query one
/// per started 4 KB of all its items. Eventually consistent reads cost half.
fn read_units(operation: &str, asked: &Value, answered: &Value) -> f64 {
    match operation {
        "GetItem" => size(&answered["Item"]).div_ceil(4_096).max(1) as f64,
        "BatchGetItem" => {
            let keys = asked["RequestItems"].as_object().into_iter().flatten();
            let keys: usize = keys
                .map(|(_, wanted)| wanted["Keys"].as_array().unwrap().len())
                .sum();
            let items = answered["Responses"].as_object().into_iter().flatten();
            let items: Vec<&Value> = items
                .flat_map(|(_, items)| items.as_array().unwrap())
                .collect();
            let found: u64 = items
                .iter()
                .map(|item| size(item).div_ceil(4_096).max(1))
                .sum();
            let mut tables = asked["RequestItems"].as_object().into_iter().flatten();
            let share = if tables.all(|(_, wanted)| wanted["ConsistentRead"] == true) {
                1.0
            } else {
                0.5
            };
            share * (found as f64 + (keys - items.len()) as f64)
        }
        "Query" => {
            let found: u64 = answered["Items"]
                .as_array()
                .into_iter()
                .flatten()
                .map(size)
                .sum();
            found.div_ceil(4_096).max(1) as f64
        }
        _ => 0.0,
    }
}

/// The bytes of an item by DynamoDB's rule: names, texts and blobs, and numbers at two digits a
/// byte.
fn size(item: &Value) -> u64 {
    let attributes = item.as_object().into_iter().flatten();
    attributes
        .map(|(name, value)| name.len() as u64 + value_size(value))
        .sum()
}

fn value_size(value: &Value) -> u64 {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        return 0;
    };
    let length = value.as_str().map_or(0, str::len) as u64;
    match (kind.as_str(), value) {
        ("S", _) => length,
        ("N", _) => length.div_ceil(2) + 1,
        ("B", _) => length * 3 / 4,
        ("M", Value::Object(_)) => 3 + size(value),
        ("L", Value::Array(values)) => {
            3 + values
                .iter()
                .map(|value| 1 + value_size(value))
                .sum::<u64>()
        }
        _ => 1,
    }
}
