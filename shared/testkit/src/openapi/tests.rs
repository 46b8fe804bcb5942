use super::*;

/// A function's description: one path, whose response has one schema that refers to another.
fn described(path: &str, schema: &str) -> Value {
    let answer = json!({ "$ref": format!("{SCHEMAS}{schema}") });
    let responses = json!({
        "200": { "description": "Yes.", "content": { "application/json": { "schema": answer } } },
        "404": { "description": "`unknown`: no." },
    });
    let inner = json!({ "$ref": format!("{SCHEMAS}{schema}Inner") });
    json!({
        "tags": [{ "name": schema }],
        "paths": { path: { "get": { "tags": [schema], "responses": responses } } },
        "components": { "schemas": {
            "Problem": { "type": "object" },
            schema: { "properties": { "inner": inner } },
            format!("{schema}Inner"): { "type": "string" },
            "Unused": { "type": "string" },
        } },
    })
}

fn keys(value: &Value) -> Vec<String> {
    members(value).keys().cloned().collect()
}

#[test]
fn a_function_replaces_its_own_part_and_no_other() {
    let one = merge(Api::Home, "one", &Value::Null, &described("/a", "A"));
    let both = merge(Api::Home, "two", &one, &described("/b", "B"));
    assert_eq!(keys(&both["paths"]), ["/a", "/b"]);
    assert_eq!(
        keys(&both["components"]["schemas"]),
        ["A", "AInner", "B", "BInner", "Problem"]
    );
    let moved = merge(Api::Home, "one", &both, &described("/c", "C"));
    assert_eq!(keys(&moved["paths"]), ["/b", "/c"]);
    assert_eq!(
        keys(&moved["components"]["schemas"]),
        ["B", "BInner", "C", "CInner", "Problem"]
    );
    assert_eq!(moved["tags"], json!([{ "name": "B" }, { "name": "C" }]));
    assert_eq!(
        merge(Api::Home, "one", &moved, &described("/c", "C")),
        moved,
        "once more changes nothing"
    );
}

#[test]
fn refusals_follow_from_an_operations_inputs() {
    let complete = |mut operation: Value| {
        complete(&mut operation, "one");
        keys(&operation["responses"])
    };
    let yes = json!({ "200": { "description": "Yes." } });
    assert_eq!(complete(json!({ "responses": yes })), ["200"]);
    let person = json!([{ "person": [] }]);
    assert_eq!(
        complete(json!({ "responses": yes, "security": person })),
        ["200", "401", "500", "503"]
    );
    let machine = json!([{ "machine": ["a/scope"] }]);
    assert_eq!(
        complete(json!({ "responses": yes, "security": machine })),
        ["200", "401", "403", "500", "503"]
    );
    assert_eq!(
        complete(json!({ "responses": yes, "requestBody": {} })),
        ["200", "400", "413", "422", "500"]
    );
    let own = json!({ "400": { "description": "`malformed-json`: no." } });
    assert_eq!(
        complete(json!({ "responses": own, "requestBody": {} })),
        ["400", "500"]
    );
}

#[test]
fn a_path_matches_its_template() {
    for (template, path, expected) in [
        ("/a", "/a", true),
        ("/a/{id}", "/a/b", true),
        ("/a/{id}", "/a", false),
        ("/a/{id}/c", "/a/b/d", false),
        ("/a", "/b", false),
    ] {
        assert_eq!(fits(template, path), expected, "{template} {path}");
    }
}
