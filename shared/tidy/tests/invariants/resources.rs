//! The template's resources: nothing without a dead-letter queue, an alarm, a log with an end, encryption.

use crate::none;
use crate::template::{Template, keys, many, target};
use anyhow::Result;
use serde_json::Value;

/// How many timeouts of its consumer a message is hidden for at least, as Lambda's guide to SQS asks for: it must not come
/// again while Lambda tries to hand over a batch to a function that is throttled.
const VISIBILITY_TIMEOUTS: u64 = 6;

/// Whether an alarm that notifies someone watches `metric` of the resource, where a dimension names it.
fn has_alarm(template: &Template, resource: &str, metric: &str) -> bool {
    template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
        alarm["MetricName"] == metric
            && !many(&alarm["AlarmActions"]).is_empty()
            && many(&alarm["Dimensions"]).iter().any(|dimension| target(&dimension["Value"]) == Some(resource))
    })
}

/// The queues that something sends its failures to.
fn dead_letter_queues(template: &Template) -> Vec<&str> {
    let mut found = Vec::new();
    for resource in template.resources.values() {
        dead_letter_targets(&resource["Properties"], &mut found);
    }
    found
}

fn dead_letter_targets<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| dead_letter_targets(item, found)),
        Value::Object(map) => {
            found.extend(target(&value["deadLetterTargetArn"]));
            found.extend(target(&value["DeadLetterConfig"]["Arn"]));
            found.extend(target(&value["OnFailure"]["Destination"]));
            map.values().for_each(|value| dead_letter_targets(value, found));
        }
        _ => {}
    }
}

#[test]
fn every_queue_has_an_end_and_alarms() -> Result<()> {
    let template = Template::load()?;
    let ends = dead_letter_queues(&template);
    let mut findings = Vec::new();
    for (id, queue) in template.of_type("AWS::SQS::Queue") {
        let redrive = &queue["RedrivePolicy"];
        let is_end = ends.contains(&id);
        if !is_end && (target(&redrive["deadLetterTargetArn"]).is_none() || !redrive["maxReceiveCount"].is_u64()) {
            findings.push(format!("{id}: no RedrivePolicy, and nothing's dead-letter queue"));
        }
        if !has_alarm(&template, id, "ApproximateNumberOfMessagesVisible") {
            findings.push(format!("{id}: no alarm on depth"));
        }
        if !is_end && !has_alarm(&template, id, "ApproximateAgeOfOldestMessage") {
            findings.push(format!("{id}: no alarm on age"));
        }
        let is_encrypted = queue["SqsManagedSseEnabled"] == true || target(&queue["KmsMasterKeyId"]) == Some("Key");
        if !is_encrypted {
            findings.push(format!("{id}: not encrypted"));
        }
    }
    none(&findings, "List the queue in the template's Mappings, or give it these resources.")
}

#[test]
fn a_message_is_hidden_for_six_times_its_consumers_timeout() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, function) in template.functions() {
        let timeout_s = template.timeout_seconds(function);
        for name in keys(&function["Events"]) {
            let event = &function["Events"][&name];
            if event["Type"] != "SQS" {
                continue;
            }
            let queue = target(&event["Properties"]["Queue"]).unwrap_or_default();
            let properties = template.of_type("AWS::SQS::Queue").find(|(found, _)| *found == queue);
            let hidden_s = properties.and_then(|(_, queue)| template.number(&queue["VisibilityTimeout"]));
            let is_long =
                timeout_s.zip(hidden_s).is_some_and(|(timeout, hidden)| hidden >= timeout * VISIBILITY_TIMEOUTS);
            if !is_long {
                findings.push(format!("{id}: has {timeout_s:?} s, and {queue} hides a message for {hidden_s:?} s"));
            }
        }
    }
    none(&findings, "Give the queue a longer time in the template's mapping Visibility.")
}

#[test]
fn every_function_has_a_log_with_an_end_and_alarms() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, function) in template.functions() {
        let group = target(&function["LoggingConfig"]["LogGroup"]).unwrap_or_default();
        let Some((_, log)) = template.of_type("AWS::Logs::LogGroup").find(|(found, _)| *found == group) else {
            findings.push(format!("{id}: LoggingConfig names no log group of the template"));
            continue;
        };
        for property in ["RetentionInDays", "KmsKeyId"] {
            if log[property].is_null() {
                findings.push(format!("{group}: no {property}"));
            }
        }
        for metric in ["Errors", "Throttles"] {
            if !has_alarm(&template, id, metric) {
                findings.push(format!("{id}: no alarm on {metric}"));
            }
        }
    }
    none(&findings, "List the function in the template's Mappings: the loops give it log and alarms.")
}

#[test]
fn every_table_can_be_restored_and_is_encrypted() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, table) in template.of_type("AWS::DynamoDB::Table") {
        let kept = !template.resources[id]["DeletionPolicy"].is_null();
        let rules = [
            ("BillingMode PAY_PER_REQUEST", table["BillingMode"] == "PAY_PER_REQUEST"),
            ("point-in-time recovery", table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true),
            ("encryption by the region's key", target(&table["SSESpecification"]["KMSMasterKeyId"]) == Some("Key")),
            ("expiry by expires_at", table["TimeToLiveSpecification"]["AttributeName"] == "expires_at"),
            ("DeletionProtectionEnabled", !table["DeletionProtectionEnabled"].is_null()),
            ("DeletionPolicy", kept),
        ];
        findings.extend(rules.iter().filter(|(_, holds)| !holds).map(|(rule, _)| format!("{id}: no {rule}")));
    }
    none(&findings, "Write the table as its neighbours are.")
}

/// Neither the linter nor the local AWS notices; API Gateway refuses the whole stage.
#[test]
fn every_route_with_settings_is_a_functions() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, api) in template.of_type("AWS::Serverless::HttpApi") {
        let events = template.functions().flat_map(|(_, function)| function["Events"].as_object());
        let events = events.flat_map(|events| events.values()).map(|event| &event["Properties"]);
        let routes: Vec<String> = events
            .filter(|event| target(&event["ApiId"]) == Some(id))
            .filter_map(|event| Some(format!("{} {}", event["Method"].as_str()?, event["Path"].as_str()?)))
            .collect();
        let with_settings = keys(&api["RouteSettings"]).into_iter();
        findings.extend(with_settings.filter(|route| !routes.contains(route)).map(|route| format!("{id}: {route}")));
    }
    none(&findings, "Name a route as a function's event has it, method and path.")
}

#[test]
fn every_trigger_gives_up_into_a_queue() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, function) in template.functions() {
        for name in keys(&function["Events"]) {
            let event = &function["Events"][&name];
            let properties = &event["Properties"];
            let rules: Vec<(&str, bool)> = match event["Type"].as_str().unwrap_or_default() {
                "HttpApi" => vec![("ApiId", !properties["ApiId"].is_null())],
                "SQS" => vec![(
                    "FunctionResponseTypes [ReportBatchItemFailures]",
                    many(&properties["FunctionResponseTypes"]).iter().any(|kind| *kind == "ReportBatchItemFailures"),
                )],
                "DynamoDB" => vec![
                    ("MaximumRetryAttempts", properties["MaximumRetryAttempts"].as_u64().is_some_and(|most| most > 0)),
                    ("BisectBatchOnFunctionError", properties["BisectBatchOnFunctionError"] == true),
                    ("OnFailure", target(&properties["DestinationConfig"]["OnFailure"]["Destination"]).is_some()),
                    ("FilterCriteria", !properties["FilterCriteria"].is_null()),
                    // A stream handler fails its batch as a whole; a reported part would be a second way.
                    ("whole batches", properties["FunctionResponseTypes"].is_null()),
                ],
                "Schedule" => {
                    vec![
                        ("RetryPolicy", !properties["RetryPolicy"].is_null()),
                        ("DeadLetterConfig", target(&properties["DeadLetterConfig"]["Arn"]).is_some()),
                        (
                            "EventInvokeConfig with OnFailure",
                            target(&function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"])
                                .is_some(),
                        ),
                    ]
                }
                other => vec![("known type", other == "known")],
            };
            findings
                .extend(rules.iter().filter(|(_, holds)| !holds).map(|(rule, _)| format!("{id}.{name}: no {rule}")));
        }
    }
    none(&findings, "Write the event as its neighbours are: a failure has to end in a queue with an alarm.")
}
