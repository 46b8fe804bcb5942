//! Reads which items a DynamoDB call accesses.

use serde_json::Value;

/// The partition key of every table of the template.
const PARTITION_KEY: &str = "pk";

/// An access to a table, in the terms of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The permission, such as `dynamodb:GetItem`.
    pub action: String,
    /// The table's name.
    pub table: String,
    /// The partition keys of the access; `None` for a key that cannot be read from the call.
    pub leading_keys: Vec<Option<String>>,
}

impl Use {
    /// The table's ARN.
    pub fn resource(&self, region: &str) -> String {
        format!(
            "arn:aws:dynamodb:{region}:000000000000:table/{}",
            self.table
        )
    }
}

/// The accesses of a call: one for each item of a transaction, one for each table of a batch.
pub(super) fn uses(operation: &str, body: &Value) -> Vec<Use> {
    let of_table = |keys| vec![used(operation, &body["TableName"], keys)];
    match operation {
        "GetItem" | "UpdateItem" | "DeleteItem" => of_table(vec![key_of(&body["Key"])]),
        "PutItem" => of_table(vec![key_of(&body["Item"])]),
        "Query" => of_table(vec![queried(body)]),
        "BatchGetItem" | "BatchWriteItem" => batch(operation, &body["RequestItems"]),
        "TransactGetItems" | "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().into_iter().flatten();
            items
                .flat_map(|item| item.as_object().into_iter().flatten())
                .map(|(kind, item)| of_item(kind, item))
                .collect()
        }
        // A scan names no key, so a condition on every key is true: a role that may scan may read
        // everything.
        _ => of_table(Vec::new()),
    }
}

fn used(operation: &str, table: &Value, leading_keys: Vec<Option<String>>) -> Use {
    let table = table.as_str().unwrap_or_default();
    let table = table.rsplit_once('/').map_or(table, |(_, name)| name);
    Use {
        action: format!("dynamodb:{operation}"),
        table: table.to_owned(),
        leading_keys,
    }
}

fn key_of(attributes: &Value) -> Option<String> {
    attributes[PARTITION_KEY]["S"].as_str().map(str::to_owned)
}

fn of_item(kind: &str, item: &Value) -> Use {
    let operation = match kind {
        "ConditionCheck" => "ConditionCheckItem".to_owned(),
        kind => format!("{kind}Item"),
    };
    let attributes = if kind == "Put" {
        &item["Item"]
    } else {
        &item["Key"]
    };
    used(&operation, &item["TableName"], vec![key_of(attributes)])
}

fn batch(operation: &str, tables: &Value) -> Vec<Use> {
    let of_table = |(table, requested): (&String, &Value)| {
        let reads = requested["Keys"]
            .as_array()
            .into_iter()
            .flatten()
            .map(key_of);
        let writes = requested.as_array().into_iter().flatten().map(|write| {
            key_of(&write["PutRequest"]["Item"]).or_else(|| key_of(&write["DeleteRequest"]["Key"]))
        });
        used(
            operation,
            &Value::String(table.clone()),
            reads.chain(writes).collect(),
        )
    };
    tables
        .as_object()
        .into_iter()
        .flatten()
        .map(of_table)
        .collect()
}

/// The partition key of a query, from its key condition.
fn queried(body: &Value) -> Option<String> {
    if let Some(requested) = body["KeyConditions"].get(PARTITION_KEY) {
        return requested["AttributeValueList"][0]["S"]
            .as_str()
            .map(str::to_owned);
    }
    let condition = body["KeyConditionExpression"].as_str()?;
    let words: Vec<String> = condition
        .replace('=', " = ")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let names = |word: &str| {
        let word = word.trim_matches(['(', ')']);
        body["ExpressionAttributeNames"][word]
            .as_str()
            .unwrap_or(word)
            == PARTITION_KEY
    };
    let value = words
        .windows(3)
        .find(|words| names(&words[0]) && words[1] == "=")
        .map(|words| &words[2])?;
    body["ExpressionAttributeValues"][value.trim_matches(['(', ')'])]["S"]
        .as_str()
        .map(str::to_owned)
}
