//! The permissions of roles: named actions on named resources, and only the tables of the own
//! function set.

use crate::none;
use crate::repository;
use crate::template::{Template, keys, many, target};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Actions without resource-level permission, each with AWS's page on it. None is needed so far.
const WITHOUT_RESOURCE: [&str; 0] = [];

/// The tables on the other side of the border, by function set.
const REFUSED: [(&str, [&str; 2]); 2] = [
    ("regional", ["BillingTable", "CentralTable"]),
    ("central", ["RegionalTable", "UsageTable"]),
];

/// The role that a function assumes for one tenant.
const TENANT_POLICY: &str = "TenantAccessRole";
/// The partition of the session's tenant.
const OWN_PARTITION: &str = "TENANT#${aws:PrincipalTag/tenant}";
/// The actions that return items.
const READS: [&str; 5] = [
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:TransactGetItems",
];

/// The tables of which a function may access named partitions only.
const NARROWED: [&str; 3] = ["RegionalTable", "UsageTable", "BillingTable"];
/// The policies that may access every partition of the regional table, and why.
const NOT_NARROWED: [(&str, &str); 7] = [
    (
        "SignupApiRole",
        "creates tenants and the items that resolve to them in one transaction",
    ),
    (
        "AuthPreSignUpRole",
        "adds a person whom a tenant's own provider has authenticated to the tenant",
    ),
    (
        "AuthPostConfirmationRole",
        "activates a tenant and the items that resolve to it when a person is confirmed",
    ),
    (
        "PolicyApplyRole",
        "changes a suspended tenant and the items that resolve to it",
    ),
    (
        "ProvisioningApplyRole",
        "changes a tenant, its sign-up and the items that resolve to it after provisioning",
    ),
    (
        "RoutingApplyRole",
        "changes a tenant and its sign-up when its name is routed to the region",
    ),
    (
        "TenantLifecycleRole",
        "erases tenants with every kind of item",
    ),
];
/// The permissions of a table's stream, which has no keys.
const OF_STREAMS: [&str; 4] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
];

/// Every statement of a role's policies, with the policy's name.
fn statements(template: &Template) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (id, resource) in &template.resources {
        let properties = &resource["Properties"];
        let mut documents = Vec::new();
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" | "AWS::IAM::RolePolicy" => {
                documents.push(&properties["PolicyDocument"])
            }
            "AWS::IAM::Role" => documents.extend(
                many(&properties["Policies"])
                    .into_iter()
                    .map(|policy| &policy["PolicyDocument"]),
            ),
            "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" => {
                documents.push(&properties["PolicyDocument"])
            }
            _ => {}
        }
        let of_documents = documents
            .into_iter()
            .flat_map(|document| many(&document["Statement"]));
        found.extend(of_documents.map(|statement| (id.clone(), statement)));
    }
    found
}

/// The statements of a function's role, of its attached policies, and of the role that it may
/// assume.
fn access(template: &Template, function: &repository::Function) -> Vec<Value> {
    let id = format!("{}Role", repository::pascal(&function.name));
    let all = statements(template);
    let of = |id: &str| -> Vec<Value> {
        all.iter()
            .filter(|(found, _)| found == id)
            .map(|(_, statement)| (*statement).clone())
            .collect()
    };
    let mut found = of(&id);
    for (policy, properties) in template.of_type("AWS::IAM::Policy") {
        if many(&properties["Roles"])
            .into_iter()
            .any(|role| target(role) == Some(id.as_str()))
        {
            found.extend(of(policy));
        }
    }
    let assumes = |statement: &Value| {
        many(&statement["Action"])
            .iter()
            .any(|action| **action == "sts:AssumeRole")
    };
    if found.iter().any(assumes) {
        found.extend(of(TENANT_POLICY));
    }
    found
}

/// The tables that a function may access, including by their streams.
fn tables(template: &Template, function: &repository::Function) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in access(template, function) {
        for resource in many(&statement["Resource"]) {
            let table = target(resource).filter(|id| {
                template
                    .resources
                    .get(*id)
                    .is_some_and(|r| r["Type"] == "AWS::DynamoDB::Table")
            });
            found.extend(table.map(str::to_owned));
        }
    }
    found
}

#[test]
fn no_permission_is_a_wildcard() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, statement) in statements(&template) {
        for action in many(&statement["Action"])
            .into_iter()
            .filter_map(Value::as_str)
        {
            if action.contains('*') {
                findings.push(format!("{id}: {action}"));
            }
        }
        let named = |action: &&Value| {
            action
                .as_str()
                .is_some_and(|action| WITHOUT_RESOURCE.contains(&action))
        };
        let every = many(&statement["Resource"])
            .iter()
            .any(|resource| **resource == "*");
        if every && !many(&statement["Action"]).iter().all(named) {
            findings.push(format!("{id}: Resource \"*\" for {}", statement["Action"]));
        }
        if !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
            findings.push(format!("{id}: allows everything but something"));
        }
    }
    none(&findings, "Name the actions and the resource.")
}

#[test]
fn every_role_is_our_own() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let mut roles = BTreeSet::new();
    for (id, function) in template.functions() {
        let role = target(&function["Role"]).unwrap_or_default();
        let of_template = template
            .of_type("AWS::IAM::Role")
            .any(|(found, _)| found == role);
        if !of_template || !function["Policies"].is_null() {
            findings.push(format!("{id}: its role is not a role of the template"));
        }
        if !roles.insert(role.to_owned()) {
            findings.push(format!(
                "{id}: shares {role}, and so the permissions of both"
            ));
        }
    }
    for (id, role) in template.of_type("AWS::IAM::Role") {
        if !role["ManagedPolicyArns"].is_null() {
            findings.push(format!("{id}: has a managed policy"));
        }
    }
    none(
        &findings,
        "Give the function a role of the template and its permissions as statements: what AWS manages, and what SAM \
         adds by itself, holds for every queue and stream of the account.",
    )
}

/// The emulator does not compare leading keys; the local stack and this test do.
#[test]
fn a_session_for_one_tenant_reads_that_tenants_partition_only() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let mut own = 0;
    for (id, statement) in statements(&template)
        .into_iter()
        .filter(|(id, _)| id == TENANT_POLICY)
    {
        let actions = many(&statement["Action"]);
        if !actions
            .iter()
            .any(|action| READS.iter().any(|read| **action == *read))
        {
            continue;
        }
        let keys = &statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
        if many(keys).iter().all(|key| **key == OWN_PARTITION) && !keys.is_null() {
            own += 1;
        } else {
            findings.push(format!("{id}: reads {keys}"));
        }
    }
    if own == 0 {
        findings.push(format!("{TENANT_POLICY}: may read no item of the tenant"));
    }
    none(
        &findings,
        "Compare dynamodb:LeadingKeys with the session's tag, exactly, in every statement that reads.",
    )
}

#[test]
fn a_function_uses_named_partitions_only() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let mut wide = BTreeSet::new();
    for (id, statement) in statements(&template) {
        let table = many(&statement["Resource"])
            .into_iter()
            .filter_map(target)
            .find(|table| NARROWED.contains(table));
        let is_of_items = !many(&statement["Action"])
            .iter()
            .any(|action| OF_STREAMS.iter().any(|of| **action == *of));
        let condition = &statement["Condition"];
        let operators = ["ForAllValues:StringLike", "ForAllValues:StringEquals"];
        let keys: Vec<_> = operators
            .iter()
            .flat_map(|name| many(&condition[*name]["dynamodb:LeadingKeys"]))
            .collect();
        let names = |key: &&Value| key.as_str().is_some_and(|key| !key.starts_with(['*', '?']));
        let Some(table) =
            table.filter(|_| is_of_items && (keys.is_empty() || !keys.iter().all(names)))
        else {
            continue;
        };
        if table == "RegionalTable" && NOT_NARROWED.iter().any(|(policy, _)| *policy == id) {
            wide.insert(id);
        } else {
            findings.push(format!("{id}: {} on all of {table}", statement["Action"]));
        }
    }
    let unused = NOT_NARROWED
        .iter()
        .filter(|(policy, _)| !wide.contains(*policy));
    findings.extend(
        unused.map(|(policy, _)| format!("{policy}: is narrowed, and listed as one that is not")),
    );
    none(
        &findings,
        "Name the partitions in a condition on dynamodb:LeadingKeys, or list the policy with the reason.",
    )
}

/// The local AWS compares only zone and action.
#[test]
fn names_are_changed_below_the_tenants_domain_only() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, statement) in statements(&template) {
        let actions = many(&statement["Action"]);
        if !actions.iter().any(|action| {
            action
                .as_str()
                .is_some_and(|action| action.starts_with("route53:"))
        }) {
            continue;
        }
        let like = &statement["Condition"]["ForAllValues:StringLike"];
        let equal = &statement["Condition"]["ForAllValues:StringEquals"];
        let key = |name: &str| format!("route53:ChangeResourceRecordSets{name}");
        let names = &like[key("NormalizedRecordNames")];
        let holds = names.to_string().contains("*.${TenantDomain}")
            && equal[key("RecordTypes")] == json!(["A", "CNAME"])
            && equal[key("Actions")] == json!(["UPSERT", "DELETE"]);
        if !holds {
            findings.push(format!("{id}: {}", statement["Condition"]));
        }
    }
    none(
        &findings,
        "A region may write and delete tenants' names, which point to an API, and nothing else in the zone.",
    )
}

#[test]
fn no_role_reads_another_sets_table() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for function in repository::functions() {
        let refused = REFUSED
            .iter()
            .filter(|(set, _)| *set == function.set)
            .flat_map(|(_, tables)| tables);
        let used = tables(&template, &function);
        findings.extend(
            refused
                .filter(|table| used.contains(**table))
                .map(|table| format!("{}: {table}", function.folder())),
        );
    }
    none(
        &findings,
        "Send an event instead: a table belongs to one set.",
    )
}

#[test]
fn permissions_and_environment_name_the_same_tables() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for function in repository::functions() {
        let id = function.logical_id();
        let named: BTreeSet<String> = template
            .functions()
            .filter(|(found, _)| *found == id)
            .flat_map(|(_, properties)| {
                let variables = &properties["Environment"]["Variables"];
                keys(variables)
                    .into_iter()
                    .filter(|name| name.ends_with("_TABLE"))
                    .filter_map(|name| target(&variables[&name]).map(str::to_owned))
            })
            .collect();
        let used = tables(&template, &function);
        findings.extend(
            named
                .difference(&used)
                .map(|table| format!("{id}: has {table} in its environment and may not access it")),
        );
        findings.extend(
            used.difference(&named)
                .map(|table| format!("{id}: may access {table} and lacks it in its environment")),
        );
    }
    none(
        &findings,
        "Make Access and Environment of the function's function.yaml agree.",
    )
}
