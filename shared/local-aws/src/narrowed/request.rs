//! Which items a DynamoDB call is about.

use serde_json::Value;

/// The partition key of every table of the template.
const PARTITION_KEY: &str = "pk";

/// A use of a table, as permissions speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The permission, such as `dynamodb:GetItem`.
    pub action: String,
    /// The table's name.
    pub table: String,
    /// The partition keys that are asked for; `None` for one that cannot be read from the call.
    pub leading_keys: Vec<Option<String>>,
}

impl Use {
    /// The table as permissions name it.
    pub fn resource(&self, region: &str) -> String {
        format!(
            "arn:aws:dynamodb:{region}:000000000000:table/{}",
            self.table
        )
    }
}

/// What a call uses: each item of a transaction by itself, the items of a batch together.
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
        // A scan asks for no key, and a condition on every key then holds: who may scan may read
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
    let of_table = |(table, asked): (&String, &Value)| {
        let reads = asked["Keys"].as_array().into_iter().flatten().map(key_of);
        let writes = asked.as_array().into_iter().flatten().map(|write| {
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

/// The partition key of a query: the one for which its condition asks.
fn queried(body: &Value) -> Option<String> {
    if let Some(asked) = body["KeyConditions"].get(PARTITION_KEY) {
        return asked["AttributeValueList"][0]["S"]
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
