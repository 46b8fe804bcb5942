//! The cases of `events/`, the same files that `sam local invoke` takes.

use crate::openapi::bodies;
use serde_json::{Value, json};
use std::path::Path;

/// One case of a function.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file's name without `.json`, such as `valid-batch`.
    pub name: String,
    /// The payload.
    pub payload: Value,
}

impl Case {
    /// Whether the function is to accept the event.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.name.starts_with("valid-")
    }
}

/// Every case of a function, sorted by name.
///
/// # Panics
/// When the folder is missing, or a file is not JSON.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a broken case is a broken test")]
pub fn cases(function: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../events")
        .join(function);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no case", folder.display());
    files
        .iter()
        .map(|path| Case {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            payload: serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap(),
        })
        .collect()
}

/// Cases of a function in which one object of the body is replaced by the list of its values: the
/// body itself, or an object inside. They are derived from the valid cases, and from an invalid one
/// for an operation that has no valid case with an object.
///
/// # Panics
/// When an operation with a request body has no case with an object.
#[must_use]
pub fn by_position(function: &str) -> Vec<Case> {
    let mut open = bodies(function);
    let mut changed = Vec::new();
    let (valid, invalid): (Vec<_>, Vec<_>) = cases(function).into_iter().partition(Case::is_valid);
    for case in valid.into_iter().chain(invalid) {
        let is_new = open.iter().any(|operation| operation.takes(&case.payload));
        if !is_new && !case.is_valid() {
            continue;
        }
        let document = case.payload["body"]
            .as_str()
            .and_then(|body| serde_json::from_str::<Value>(body).ok());
        let Some(document) = document.filter(|document| {
            document
                .as_object()
                .is_some_and(|object| !object.is_empty())
        }) else {
            continue;
        };
        open.retain(|operation| !operation.takes(&case.payload));
        for pointer in objects(&document) {
            let mut document = document.clone();
            let Some(place) = document.pointer_mut(&pointer) else {
                continue;
            };
            let values = place
                .as_object()
                .into_iter()
                .flat_map(|object| object.values().cloned())
                .collect();
            *place = values;
            let mut payload = case.payload.clone();
            payload["body"] = json!(document.to_string());
            changed.push(Case {
                name: format!("{}: {pointer} by position", case.name),
                payload,
            });
        }
    }
    assert!(open.is_empty(), "{function} has no case for {open:?}");
    changed
}

/// The JSON pointers of all objects in a document.
fn objects(document: &Value) -> Vec<String> {
    let inner = |(name, value): (String, &Value)| -> Vec<String> {
        objects(value)
            .into_iter()
            .map(|pointer| format!("/{name}{pointer}"))
            .collect()
    };
    match document {
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value));
            std::iter::once(String::new())
                .chain(members.flat_map(inner))
                .collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .flat_map(inner)
            .collect(),
        _ => Vec::new(),
    }
}
