use super::*;
use serde_json::Value;

const TABLE: &str = "meridian-RegionalTable-1";

fn policy() -> Policy {
    let mut policy = Policy::default();
    let document = json!({ "Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem",
                       "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem", "dynamodb:BatchWriteItem"],
            "Resource": format!("arn:aws:dynamodb:eu-central-1:000000000000:table/{TABLE}"),
            "Condition": { "ForAllValues:StringLike": {
                "dynamodb:LeadingKeys": ["TENANT#${aws:PrincipalTag/tenant}", "TENANT#${aws:PrincipalTag/tenant}#*"],
            } },
        },
        { "Effect": "Allow", "Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:*:*:table/open-*" },
        { "Effect": "Deny", "Action": "*", "Resource": "*" },
    ] });
    policy.add(&document.to_string()).unwrap();
    policy
}

#[track_caller]
fn check(operation: &str, body: Value, allowed: bool) {
    let tags = BTreeMap::from([("tenant".to_owned(), "a".to_owned())]);
    let uses = request::uses(operation, &body);
    assert!(!uses.is_empty(), "{operation} uses something");
    let all = uses
        .iter()
        .all(|used| policy().allows(used, "eu-central-1", &tags));
    assert_eq!(all, allowed, "{operation} {body}");
}

fn key(key: &str) -> Value {
    json!({ "pk": { "S": key }, "sk": { "S": "x" } })
}

#[test]
fn one_item_is_allowed_by_its_key() {
    for (of, allowed) in [
        ("TENANT#a", true),
        ("TENANT#a#AUDIT", true),
        ("TENANT#b", false),
        ("TENANT#ab", false),
        ("TENANT#", false),
        ("XTENANT#a", false),
        ("USER#a", false),
    ] {
        check(
            "GetItem",
            json!({ "TableName": TABLE, "Key": key(of) }),
            allowed,
        );
        check(
            "UpdateItem",
            json!({ "TableName": TABLE, "Key": key(of) }),
            allowed,
        );
        check(
            "PutItem",
            json!({ "TableName": TABLE, "Item": key(of) }),
            allowed,
        );
    }
    check(
        "GetItem",
        json!({ "TableName": TABLE, "Key": { "sk": { "S": "x" } } }),
        false,
    );
    check(
        "GetItem",
        json!({ "TableName": "open-1", "Key": key("TENANT#b") }),
        true,
    );
}

#[test]
fn a_query_is_allowed_by_its_partition_key() {
    let query = |condition: &str, names: Value, value: &str| {
        json!({
            "TableName": TABLE, "KeyConditionExpression": condition, "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": { ":p": { "S": value }, ":s": { "S": "TENANT#a" } },
        })
    };
    for (value, allowed) in [("TENANT#a", true), ("TENANT#b", false)] {
        check("Query", query("pk = :p", json!({}), value), allowed);
        check("Query", query("pk=:p", json!({}), value), allowed);
        check(
            "Query",
            query(
                "(#k = :p) AND begins_with(sk, :s)",
                json!({ "#k": "pk" }),
                value,
            ),
            allowed,
        );
        check(
            "Query",
            query("sk = :s AND pk = :p", json!({}), value),
            allowed,
        );
    }
    check("Query", query("sk = :s", json!({}), "TENANT#a"), false);
    let former = |value: &str| json!({ "pk": { "ComparisonOperator": "EQ", "AttributeValueList": [{ "S": value }] } });
    check(
        "Query",
        json!({ "TableName": TABLE, "KeyConditions": former("TENANT#a") }),
        true,
    );
    check(
        "Query",
        json!({ "TableName": TABLE, "KeyConditions": former("TENANT#b") }),
        false,
    );
}

#[test]
fn batches_and_transactions_need_every_key_to_be_allowed() {
    let read = |keys: &[&str]| {
        let keys: Vec<Value> = keys.iter().copied().map(key).collect();
        json!({ "RequestItems": { TABLE: { "Keys": keys } } })
    };
    check("BatchGetItem", read(&["TENANT#a", "TENANT#a#AUDIT"]), true);
    check("BatchGetItem", read(&["TENANT#a", "TENANT#b"]), false);
    let put =
        |of: &str| json!({ "RequestItems": { TABLE: [{ "PutRequest": { "Item": key(of) } }] } });
    check("BatchWriteItem", put("TENANT#a"), true);
    check("BatchWriteItem", put("TENANT#b"), false);
    let write = |kind: &str, member: &str, of: &str| json!({ kind: { "TableName": TABLE, member: key(of) } });
    let transact = |items: Vec<Value>| json!({ "TransactItems": items });
    let own = || write("Put", "Item", "TENANT#a");
    check(
        "TransactWriteItems",
        transact(vec![own(), write("ConditionCheck", "Key", "TENANT#a")]),
        true,
    );
    check(
        "TransactWriteItems",
        transact(vec![own(), write("Put", "Item", "TENANT#b")]),
        false,
    );
    check(
        "TransactWriteItems",
        transact(vec![own(), write("ConditionCheck", "Key", "TENANT#b")]),
        false,
    );
    check(
        "TransactWriteItems",
        transact(vec![own(), write("Update", "Key", "TENANT#b")]),
        false,
    );
    check(
        "TransactGetItems",
        transact(vec![write("Get", "Key", "TENANT#a")]),
        true,
    );
    check(
        "TransactGetItems",
        transact(vec![write("Get", "Key", "TENANT#b")]),
        false,
    );
}

#[test]
fn calls_that_no_statement_covers_are_left_to_the_emulator() {
    check(
        "DeleteItem",
        json!({ "TableName": TABLE, "Key": key("TENANT#b") }),
        true,
    );
    check(
        "GetItem",
        json!({ "TableName": "another", "Key": key("TENANT#b") }),
        true,
    );
    check("Scan", json!({ "TableName": TABLE }), true);
}

#[test]
fn a_tag_is_not_a_pattern() {
    for (tags, allowed) in [
        (vec![("tenant", "a")], true),
        (vec![], false),
        (vec![("tenant", "")], false),
        (vec![("tenant", "*")], false),
        (vec![("tenant", "?")], false),
        (vec![("other", "a")], false),
    ] {
        let tags = tags
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let used = &request::uses(
            "GetItem",
            &json!({ "TableName": TABLE, "Key": key("TENANT#a") }),
        )[0];
        assert_eq!(
            policy().allows(used, "eu-central-1", &tags),
            allowed,
            "{tags:?}"
        );
    }
}

#[test]
fn an_unknown_form_of_condition_allows_no_key() {
    for (condition, allowed) in [
        (
            json!({ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["TENANT#a"] } }),
            true,
        ),
        (
            json!({ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["TENANT#*"] } }),
            false,
        ),
        (
            json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": "TENANT#*" } }),
            true,
        ),
        (
            json!({ "ForAnyValue:StringLike": { "dynamodb:LeadingKeys": ["TENANT#a"] } }),
            false,
        ),
        (json!({ "Null": { "dynamodb:LeadingKeys": "false" } }), true),
        (
            json!({ "StringEquals": { "dynamodb:Select": "COUNT" } }),
            true,
        ),
    ] {
        let mut policy = Policy::default();
        let statement = json!({ "Effect": "Allow", "Action": "dynamodb:Get*", "Resource": "*", "Condition": condition });
        policy
            .add(&json!({ "Statement": statement }).to_string())
            .unwrap();
        let used = &request::uses(
            "GetItem",
            &json!({ "TableName": TABLE, "Key": key("TENANT#a") }),
        )[0];
        assert_eq!(
            policy.allows(used, "eu-central-1", &BTreeMap::new()),
            allowed,
            "{condition}"
        );
    }
}

fn request(body: &str) -> Request {
    let mut headers = HeaderMap::new();
    let signature = "AWS4-HMAC-SHA256 Credential=ASIA1/20261101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host";
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static(signature));
    let body = Bytes::copy_from_slice(body.as_bytes());
    Request {
        method: axum::http::Method::POST,
        path: "/".to_owned(),
        headers,
        body,
    }
}

#[test]
fn a_session_is_found_by_its_access_key() {
    let form = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fmeridian-Tenant\
                &RoleSessionName=tenant-api&Tags.member.1.Key=Tenant&Tags.member.1.Value=a%2Bb";
    let answer = |status: StatusCode| {
        let xml = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
                   <Expiration>2999-11-01T10:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from_static(xml.as_bytes()),
        }
    };
    let session = Session {
        role: "meridian-Tenant".to_owned(),
        name: "tenant-api".to_owned(),
        tags: BTreeMap::from([("tenant".to_owned(), "a+b".to_owned())]),
        ends_at: "2999-11-01T10:00:00Z".parse().unwrap(),
    };
    assert_eq!(
        opened(&request(form), &answer(StatusCode::OK)),
        Some(("ASIA1".to_owned(), session.clone()))
    );
    assert_eq!(opened(&request(form), &answer(StatusCode::FORBIDDEN)), None);
    assert_eq!(
        opened(
            &request("Action=GetCallerIdentity"),
            &answer(StatusCode::OK)
        ),
        None
    );
    assert_eq!(access_key(&request("")), Some("ASIA1"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.json");
    let nobody = "http://127.0.0.1:9";
    let config = crate::sdk::config("eu-central-1", nobody);
    let sessions = || Sessions::new("eu-central-1", nobody, &config, file.clone()).unwrap();
    sessions().record(&request(form), &answer(StatusCode::OK));
    assert_eq!(
        sessions().by_key.lock().unwrap().get("ASIA1"),
        Some(&session),
        "another process finds it too"
    );
}

#[test]
fn a_refusal_has_the_form_of_aws() {
    let ends_at = Timestamp::MAX;
    let session = Session {
        role: "r".to_owned(),
        name: "n".to_owned(),
        tags: BTreeMap::new(),
        ends_at,
    };
    let used = &request::uses(
        "GetItem",
        &json!({ "TableName": TABLE, "Key": key("TENANT#b") }),
    )[0];
    let answer = denial(&session, used, "eu-central-1");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        body["__type"],
        "com.amazon.coral.service#AccessDeniedException"
    );
    assert!(
        body["Message"]
            .as_str()
            .unwrap()
            .contains("dynamodb:GetItem on resource: arn:aws:dynamodb:eu-central-1:")
    );
    assert_eq!(
        decoded("%7B%22a%22%3A%20%22%24%7Bb%7D%22%7D").unwrap(),
        "{\"a\": \"${b}\"}"
    );
}
