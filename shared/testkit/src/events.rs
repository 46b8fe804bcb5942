//! The cases of `events/`: the same files that `sam local invoke` takes.

use serde_json::Value;
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
    /// Whether the function is to accept it.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.name.starts_with("valid-")
    }
}

/// Every case of a function, in order of name.
///
/// # Panics
/// When the folder is missing, or a file is not JSON.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a broken case is a broken test")]
pub fn cases(function: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(function);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
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
