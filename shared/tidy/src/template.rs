//! The generator of `template.yaml`: it merges the fragments into one flat template.

use crate::fragments::{Function, Queue, Set, add, functions, shared};
use crate::routes::add_routes;
use anyhow::{Context, Result, bail};
use serde_yaml_ng::{Mapping, Value};
use std::path::Path;

/// The header of the file.
const HEADER: &str = "\
# GENERATED from shared/template/*.yaml, functions/*/*/function.yaml and docs/openapi/*.json. Change those, and regenerate this file:
#
#   MERIDIAN_WRITE_TEMPLATE=1 cargo test -p tidy --test invariants generated
#
# Meridian, one template for every region. The parameters Role and Mode decide what a region hosts:
#
#   regional set   every region                      sign-up, tenants' lifecycle, login, metering, outbox, policy, heartbeat
#   billing set    home, and each sovereign region   ledger, billing run, invoices
#   fleet set      home only                         tenant directory, onboarding, fleet monitor
#   example        if DeployApplicationExample       an application plane
#
# Each function's code is the output of `cargo lambda build`; nothing here needs `sam build`.
";

/// The order of a template's sections.
const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Globals",
    "Resources",
];

/// The versions of templates and of policies.
const VERSIONS: [&str; 2] = ["2010-09-09", "2012-10-17"];

/// The largest number of metrics of an alarm on an expression, of which one is the expression:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
const METRICS_MAX: usize = 10;

/// Generates the template from the fragments of a checkout.
///
/// # Errors
/// When a fragment cannot be read, or two of them declare the same key.
pub fn generate(root: &Path) -> Result<String> {
    let mut sections = shared(root)?;
    let functions = functions(root)?;
    let timeout_s = sections["Globals"]["Function"]["Timeout"]
        .as_u64()
        .context("no Timeout in Globals")?;
    let outputs = outputs(&functions)?;
    add(section(&mut sections, "Outputs")?, outputs)?;
    let resources = section(&mut sections, "Resources")?;
    for function in &functions {
        add(resources, of_function(function, timeout_s)?)?;
    }
    for set in Set::ALL {
        add(resources, age_alarm(set, &functions)?)?;
    }
    add_routes(root, resources, &functions)?;
    let mut template = Mapping::new();
    for name in SECTIONS.into_iter().chain(["Outputs"]) {
        let section = sections
            .remove(name)
            .with_context(|| format!("no file of shared/template has {name}"))?;
        template.insert(name.into(), section);
    }
    if let Some((name, _)) = sections.iter().next() {
        bail!("{name:?} is no section of a template");
    }
    let mut text = serde_yaml_ng::to_string(&template)?;
    // AWS's tools read YAML 1.1, in which these versions are dates unless they are quoted.
    for version in VERSIONS {
        text = text.replace(&format!(": {version}\n"), &format!(": '{version}'\n"));
    }
    Ok(format!("{HEADER}{text}"))
}

/// Parses YAML text of the generator itself.
pub(crate) fn yaml(text: &str) -> Result<Value> {
    serde_yaml_ng::from_str(text).with_context(|| format!("the generator writes no YAML: {text}"))
}

fn section<'s>(sections: &'s mut Mapping, name: &str) -> Result<&'s mut Mapping> {
    sections
        .get_mut(name)
        .and_then(Value::as_mapping_mut)
        .with_context(|| format!("no section {name}"))
}

/// The resources of a function: the function, its role, its permissions, its queue, and its own
/// declarations.
fn of_function(function: &Function, timeout_s: u64) -> Result<Mapping> {
    let Function { id, declared, .. } = function;
    let mut made = Mapping::new();
    made.insert(format!("{id}Function").into(), lambda(function)?);
    made.insert(format!("{id}Role").into(), role(function)?);
    if let Some(api) = &declared.api {
        // One permission for all paths, since the routes are defined in the API's body.
        let source = format!(
            "!Sub arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{{api}}}/*"
        );
        made.insert(
            format!("{id}RoutesPermission").into(),
            permission(id, "apigateway.amazonaws.com", &source)?,
        );
    }
    if declared.trigger {
        let made_permission = permission(id, "cognito-idp.amazonaws.com", "!GetAtt UserPool.Arn")?;
        made.insert(format!("{id}Permission").into(), made_permission);
    }
    if let Some(queue) = &declared.queue {
        let timeout_s = declared
            .function
            .get("Timeout")
            .and_then(Value::as_u64)
            .unwrap_or(timeout_s);
        add(&mut made, of_queue(queue, function.set, timeout_s)?)?;
    }
    if let Some(condition) = &declared.condition {
        for (_, resource) in &mut made {
            let of_type = resource
                .as_mapping_mut()
                .context("a resource is a mapping")?;
            of_type.insert("Condition".into(), condition.as_str().into());
        }
    }
    add(&mut made, declared.resources.clone())?;
    Ok(made)
}

fn lambda(function: &Function) -> Result<Value> {
    let Function {
        set,
        name,
        id,
        declared,
    } = function;
    let mut made = yaml(&format!(
        "
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: !Sub ${{Name}}-{name}
          CodeUri: target/lambda/{name}/
          Role: !GetAtt {id}Role.Arn
          LoggingConfig: {{ LogGroup: !Ref {}LogGroup }}",
        set.id()
    ))?;
    if let Some(resource) = &declared.depends_on {
        made["DependsOn"] = resource.as_str().into();
    }
    let properties = made["Properties"]
        .as_mapping_mut()
        .context("properties are a mapping")?;
    add(properties, declared.function.clone())?;
    let Some(queue) = &declared.queue else {
        return Ok(made);
    };
    let mut event = yaml(&format!(
        "
        Type: SQS
        Properties:
          Queue: !GetAtt {}Queue.Arn
          FunctionResponseTypes: [ReportBatchItemFailures]",
        queue.name
    ))?;
    if let Some(size) = queue.batch_size {
        event["Properties"]["BatchSize"] = size.into();
    }
    if let Some(scaling) = &queue.scaling_config {
        event["Properties"]["ScalingConfig"] = scaling.clone();
    }
    if !properties.contains_key("Events") {
        properties.insert("Events".into(), Value::Mapping(Mapping::new()));
    }
    properties["Events"][queue.name.as_str()] = event;
    Ok(made)
}

/// A role that may write its set's log, consume its queue, and do what the function declares.
fn role(function: &Function) -> Result<Value> {
    let mut made = yaml(&format!(
        "
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Principal: {{ Service: lambda.amazonaws.com }}
                Action: sts:AssumeRole
          Policies:
            - PolicyName: access
              PolicyDocument:
                Version: '2012-10-17'
                Statement:
                  - Effect: Allow
                    Action: [logs:CreateLogStream, logs:PutLogEvents]
                    Resource: !GetAtt {}LogGroup.Arn",
        function.set.id()
    ))?;
    let statements =
        made["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_sequence_mut();
    let statements = statements.context("statements are a list")?;
    statements.extend(function.declared.access.iter().cloned());
    if let Some(queue) = &function.declared.queue {
        statements.push(yaml(&format!(
            "
            Effect: Allow
            Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]
            Resource: !GetAtt {}Queue.Arn",
            queue.name
        ))?);
    }
    Ok(made)
}

fn permission(id: &str, principal: &str, source: &str) -> Result<Value> {
    yaml(&format!(
        "
        Type: AWS::Lambda::Permission
        Properties:
          Action: lambda:InvokeFunction
          FunctionName: !Ref {id}Function
          Principal: {principal}
          SourceAccount: !Ref AWS::AccountId
          SourceArn: {source}"
    ))
}

/// A queue and its policy. A message is visible again after six times the consumer's timeout, as
/// Lambda recommends, and goes to the dead-letter queue after five attempts.
fn of_queue(queue: &Queue, set: Set, timeout_s: u64) -> Result<Mapping> {
    let name = &queue.name;
    let (kept, end) = if queue.personal {
        (
            "{ KmsMasterKeyId: !Ref Key, MessageRetentionPeriod: 86400 }",
            name.as_str(),
        )
    } else {
        (
            "{ SqsManagedSseEnabled: true, MessageRetentionPeriod: 345600 }",
            set.id(),
        )
    };
    let mut made: Mapping = serde_yaml_ng::from_str(&format!(
        "{name}Queue:
          Type: AWS::SQS::Queue
          DeletionPolicy: Delete
          UpdateReplacePolicy: Delete
          Properties: {kept}"
    ))?;
    let properties = &mut made[format!("{name}Queue").as_str()]["Properties"];
    properties["VisibilityTimeout"] = (6 * timeout_s).into();
    properties["RedrivePolicy"] = yaml(&format!(
        "{{ deadLetterTargetArn: !GetAtt {end}DeadLetterQueue.Arn, maxReceiveCount: 5 }}"
    ))?;
    if !queue.personal {
        made.insert(format!("{name}QueuePolicy").into(), queue_policy(name)?);
    }
    Ok(made)
}

fn queue_policy(name: &str) -> Result<Value> {
    yaml(&format!(
        "
        Type: AWS::SQS::QueuePolicy
        Properties:
          Queues: [!Ref {name}Queue]
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Principal: {{ Service: events.amazonaws.com }}
                Action: sqs:SendMessage
                Resource: !GetAtt {name}Queue.Arn
                Condition:
                  StringEquals: {{ aws:SourceAccount: !Ref AWS::AccountId }}
                  ArnLike:
                    aws:SourceArn: !Sub arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:rule/${{Name}}-*"
    ))
}

/// One alarm on the oldest message in any queue of a set. AWS charges it per metric.
fn age_alarm(set: Set, functions: &[Function]) -> Result<Mapping> {
    let mut metrics = vec![yaml(
        "{ Id: oldest, Expression: MAX(METRICS()), ReturnData: true }",
    )?];
    for function in functions.iter().filter(|function| function.set == set) {
        let Some(queue) = &function.declared.queue else {
            continue;
        };
        let mut metric = yaml(&format!(
            "
            Id: {}
            ReturnData: false
            MetricStat:
              Metric:
                Namespace: AWS/SQS
                MetricName: ApproximateAgeOfOldestMessage
                Dimensions:
                  - {{ Name: QueueName, Value: !GetAtt {}Queue.QueueName }}
              Period: 60
              Stat: Maximum",
            queue.name.to_lowercase(),
            queue.name
        ))?;
        if let Some(condition) = function
            .declared
            .condition
            .as_deref()
            .filter(|own| set.condition() != Some(*own))
        {
            let mut either = yaml(&format!("!If [{condition}, null, !Ref AWS::NoValue]"))?;
            if let Value::Tagged(tagged) = &mut either {
                tagged.value[1] = metric;
            }
            metric = either;
        }
        metrics.push(metric);
    }
    if metrics.len() > METRICS_MAX {
        bail!(
            "the alarm of the {} set has {} metrics, of {METRICS_MAX}: split it",
            set.id(),
            metrics.len()
        );
    }
    let id = format!("{}QueueAgeAlarm", set.id());
    let mut made: Mapping = serde_yaml_ng::from_str(&format!(
        "{id}:
          Type: AWS::CloudWatch::Alarm
          Properties:
            AlarmDescription: A message waits for more than five minutes in a queue of the {} set.
            EvaluationPeriods: 3
            Threshold: 300
            ComparisonOperator: GreaterThanThreshold
            TreatMissingData: notBreaching
            AlarmActions: [!Ref AlarmTopic]
            OKActions: [!Ref AlarmTopic]",
        set.id().to_lowercase()
    ))?;
    let alarm = &mut made[id.as_str()];
    alarm["Properties"]["Metrics"] = Value::Sequence(metrics);
    if let Some(condition) = set.condition() {
        alarm["Condition"] = condition.into();
    }
    Ok(made)
}

/// The names of functions and the URLs of queues.
fn outputs(functions: &[Function]) -> Result<Mapping> {
    let mut made = Mapping::new();
    for Function { id, declared, .. } in functions {
        let function = (format!("{id}FunctionName"), format!("{id}Function"));
        let queue = declared.queue.as_ref().map(|queue| {
            (
                format!("{}QueueUrl", queue.name),
                format!("{}Queue", queue.name),
            )
        });
        for (name, resource) in [Some(function), queue].into_iter().flatten() {
            let mut output = yaml(&format!("Value: !Ref {resource}"))?;
            if let Some(condition) = &declared.condition {
                output["Condition"] = condition.as_str().into();
            }
            made.insert(name.into(), output);
        }
    }
    Ok(made)
}
