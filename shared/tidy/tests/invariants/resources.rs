//! The template's resources: each has its dead-letter queue, alarms, log retention and encryption.

use crate::none;
use crate::template::{Template, keys, many, target};
use anyhow::Result;
use serde_json::Value;

/// The minimum visibility timeout of a queue, in timeouts of its consumer, from Lambda's guide to
/// SQS: a message must not be visible again while Lambda still tries to pass its batch to a
/// throttled function.
const VISIBILITY_TIMEOUTS: u64 = 6;

/// CloudFormation accepts 500 resources per stack; the rest is room for new functions.
const RESOURCES_MAX: usize = 450;
/// Each alarm costs money, and somebody has to know what it means.
const ALARMS_MAX: usize = 20;

/// Whether an alarm with a notification watches `metric` of the resource, named in a dimension:
/// alone, or as the maximum of several metrics.
fn has_alarm(template: &Template, resource: &str, metric: &str) -> bool {
    let names = |watched: &Value| {
        watched["MetricName"] == metric
            && many(&watched["Dimensions"])
                .iter()
                .any(|dimension| target(&dimension["Value"]) == Some(resource))
    };
    template
        .of_type("AWS::CloudWatch::Alarm")
        .filter(|(_, alarm)| !many(&alarm["AlarmActions"]).is_empty())
        .any(|(_, alarm)| {
            let metrics = many(&alarm["Metrics"]);
            let largest = metrics
                .iter()
                .any(|metric| metric["Expression"] == "MAX(METRICS())");
            let mut watched = metrics
                .into_iter()
                .map(|metric| metric["Fn::If"].get(1).unwrap_or(metric));
            names(alarm)
                || (largest && watched.any(|watched| names(&watched["MetricStat"]["Metric"])))
        })
}

/// Whether an alarm with a notification watches the count of a metric filter.
fn counts_into_an_alarm(template: &Template, filter: &Value) -> bool {
    many(&filter["MetricTransformations"])
        .into_iter()
        .all(|counted| {
            template
                .of_type("AWS::CloudWatch::Alarm")
                .any(|(_, alarm)| {
                    alarm["MetricName"] == counted["MetricName"]
                        && alarm["Namespace"] == counted["MetricNamespace"]
                        && !many(&alarm["AlarmActions"]).is_empty()
                })
        })
}

/// The queues that receive the failures of something.
fn dead_letter_queues(template: &Template) -> Vec<&str> {
    let mut found = Vec::new();
    for resource in template.resources.values() {
        dead_letter_targets(&resource["Properties"], &mut found);
    }
    found
}

fn dead_letter_targets<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| dead_letter_targets(item, found)),
        Value::Object(map) => {
            found.extend(target(&value["deadLetterTargetArn"]));
            found.extend(target(&value["DeadLetterConfig"]["Arn"]));
            found.extend(target(&value["OnFailure"]["Destination"]));
            map.values()
                .for_each(|value| dead_letter_targets(value, found));
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
        if !is_end
            && (target(&redrive["deadLetterTargetArn"]).is_none()
                || !redrive["maxReceiveCount"].is_u64())
        {
            findings.push(format!(
                "{id}: no RedrivePolicy, and nothing's dead-letter queue"
            ));
        }
        if is_end && !has_alarm(&template, id, "ApproximateNumberOfMessagesVisible") {
            findings.push(format!("{id}: no alarm on dead letters"));
        }
        if !is_end && !has_alarm(&template, id, "ApproximateAgeOfOldestMessage") {
            findings.push(format!("{id}: no alarm on age"));
        }
        let is_encrypted = queue["SqsManagedSseEnabled"] == true
            || target(&queue["KmsMasterKeyId"]) == Some("Key");
        if !is_encrypted {
            findings.push(format!("{id}: not encrypted"));
        }
    }
    none(
        &findings,
        "Declare the queue in its function's function.yaml, or give it these resources.",
    )
}

#[test]
fn visibility_timeouts_are_six_times_the_consumers_timeout() -> Result<()> {
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
            let properties = template
                .of_type("AWS::SQS::Queue")
                .find(|(found, _)| *found == queue);
            let hidden_s =
                properties.and_then(|(_, queue)| template.number(&queue["VisibilityTimeout"]));
            let is_long = timeout_s
                .zip(hidden_s)
                .is_some_and(|(timeout, hidden)| hidden >= timeout * VISIBILITY_TIMEOUTS);
            if !is_long {
                findings.push(format!(
                    "{id}: has {timeout_s:?} s, and {queue} hides a message for {hidden_s:?} s"
                ));
            }
        }
    }
    none(
        &findings,
        "The generator computes it: declare the queue in function.yaml.",
    )
}

#[test]
fn every_function_has_a_log_with_an_end_and_alarms() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, function) in template.functions() {
        let group = target(&function["LoggingConfig"]["LogGroup"]).unwrap_or_default();
        let Some((_, log)) = template
            .of_type("AWS::Logs::LogGroup")
            .find(|(found, _)| *found == group)
        else {
            findings.push(format!(
                "{id}: LoggingConfig names no log group of the template"
            ));
            continue;
        };
        for property in ["RetentionInDays", "KmsKeyId"] {
            if log[property].is_null() {
                findings.push(format!("{group}: no {property}"));
            }
        }
        let reports = |filter: &&Value| {
            let pattern = filter["FilterPattern"].as_str().unwrap_or_default();
            pattern.contains("$.type = \"platform.report\" && $.record.status != \"success\"")
        };
        let filters = template
            .of_type("AWS::Logs::MetricFilter")
            .map(|(_, filter)| filter);
        let mut of_group = filters
            .filter(|filter| target(&filter["LogGroupName"]) == Some(group))
            .filter(reports);
        if !of_group.any(|filter| counts_into_an_alarm(&template, filter)) {
            findings.push(format!("{group}: no alarm on failed invocations"));
        }
    }
    let throttles = |alarm: &Value| {
        alarm["MetricName"] == "Throttles" && !many(&alarm["AlarmActions"]).is_empty()
    };
    if !template
        .of_type("AWS::CloudWatch::Alarm")
        .any(|(_, alarm)| throttles(alarm))
    {
        findings.push("no alarm on throttled invocations".to_owned());
    }
    none(
        &findings,
        "The log group of a function set has a metric filter on platform reports, and an alarm on its metric.",
    )
}

/// The number of resources that SAM adds: an event source mapping for each queue and stream, a rule
/// and a permission for each schedule, the configuration of asynchronous invocations, and a stage
/// for each API.
fn made_by_sam(template: &Template) -> usize {
    let of_function = |function: &Value| {
        let events = keys(&function["Events"]).into_iter().map(|name| {
            let is_schedule = function["Events"][&name]["Type"] == "Schedule";
            1 + usize::from(is_schedule)
        });
        events.sum::<usize>() + usize::from(!function["EventInvokeConfig"].is_null())
    };
    let stages = template.of_type("AWS::Serverless::HttpApi").count();
    template
        .functions()
        .map(|(_, function)| of_function(function))
        .sum::<usize>()
        + stages
}

/// Counts with all conditions true, which is more than any region has.
#[test]
fn the_stack_has_room_and_few_alarms() -> Result<()> {
    let template = Template::load()?;
    let resources = template.resources.len() + made_by_sam(&template);
    let alarms = template.of_type("AWS::CloudWatch::Alarm").count();
    let mut findings = Vec::new();
    if resources > RESOURCES_MAX {
        findings.push(format!("{resources} resources, of {RESOURCES_MAX}"));
    }
    if alarms > ALARMS_MAX {
        findings.push(format!("{alarms} alarms, of {ALARMS_MAX}"));
    }
    none(
        &findings,
        "Let resources be shared by a function set, or let the generator make several stacks.",
    )
}

#[test]
fn every_table_can_be_restored_and_is_encrypted() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, table) in template.of_type("AWS::DynamoDB::Table") {
        let is_retained = !template.resources[id]["DeletionPolicy"].is_null();
        let rules = [
            (
                "BillingMode PAY_PER_REQUEST",
                table["BillingMode"] == "PAY_PER_REQUEST",
            ),
            (
                "point-in-time recovery",
                table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true,
            ),
            (
                "encryption by the region's key",
                target(&table["SSESpecification"]["KMSMasterKeyId"]) == Some("Key"),
            ),
            (
                "expiry by expires_at",
                table["TimeToLiveSpecification"]["AttributeName"] == "expires_at",
            ),
            (
                "DeletionProtectionEnabled",
                !table["DeletionProtectionEnabled"].is_null(),
            ),
            ("DeletionPolicy", is_retained),
        ];
        findings.extend(
            rules
                .iter()
                .filter(|(_, holds)| !holds)
                .map(|(rule, _)| format!("{id}: no {rule}")),
        );
    }
    none(&findings, "Declare the table like its neighbours.")
}

/// Neither the linter nor the local AWS notices such a setting; API Gateway refuses the whole
/// stage.
#[test]
fn every_route_with_settings_exists() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, api) in template.of_type("AWS::Serverless::HttpApi") {
        let routes: Vec<String> = keys(&api["DefinitionBody"]["paths"])
            .into_iter()
            .map(|path| format!("ANY {path}"))
            .collect();
        let with_settings = keys(&api["RouteSettings"]).into_iter();
        findings.extend(
            with_settings
                .filter(|route| !routes.contains(route))
                .map(|route| format!("{id}: {route}")),
        );
    }
    none(
        &findings,
        "Name a route as the API has it: ANY and the path.",
    )
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
                "SQS" => vec![(
                    "FunctionResponseTypes [ReportBatchItemFailures]",
                    many(&properties["FunctionResponseTypes"])
                        .iter()
                        .any(|kind| *kind == "ReportBatchItemFailures"),
                )],
                "DynamoDB" => vec![
                    (
                        "MaximumRetryAttempts",
                        properties["MaximumRetryAttempts"]
                            .as_u64()
                            .is_some_and(|most| most > 0),
                    ),
                    (
                        "BisectBatchOnFunctionError",
                        properties["BisectBatchOnFunctionError"] == true,
                    ),
                    (
                        "OnFailure",
                        target(&properties["DestinationConfig"]["OnFailure"]["Destination"])
                            .is_some(),
                    ),
                    ("FilterCriteria", !properties["FilterCriteria"].is_null()),
                    // A stream handler fails its batch as a whole; partial batch responses
                    // would be a second way to fail.
                    (
                        "whole batches",
                        properties["FunctionResponseTypes"].is_null(),
                    ),
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
            findings.extend(
                rules
                    .iter()
                    .filter(|(_, holds)| !holds)
                    .map(|(rule, _)| format!("{id}.{name}: no {rule}")),
            );
        }
    }
    none(
        &findings,
        "Declare the event like its neighbours: a failure has to end in a queue with an alarm.",
    )
}
