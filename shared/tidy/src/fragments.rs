//! The fragments of the template: `function.yaml` beside each function, and the files of
//! `shared/template`.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// A function set: functions that share a log group, a dead-letter queue and an alarm on the age of
/// messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// The functions of every region.
    Regional,
    /// Billing and fleet: both at home, and billing in sovereign regions too.
    Central,
}

impl Set {
    pub(crate) const ALL: [Self; 2] = [Self::Regional, Self::Central];

    /// The prefix of its resources' logical ids.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Regional => "Regional",
            Self::Central => "Central",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Regional => "regional",
            Self::Central => "central",
        }
    }

    /// The condition of its resources.
    pub(crate) const fn condition(self) -> Option<&'static str> {
        match self {
            Self::Regional => None,
            Self::Central => Some("HasBillingSet"),
        }
    }
}

/// A `function.yaml`: a function's own part. The generator adds what every function has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Declared {
    /// The condition of its deployment; `None` for every region.
    pub(crate) condition: Option<String>,
    /// A resource that has to exist first, besides those that it refers to.
    pub(crate) depends_on: Option<String>,
    /// The API whose paths it serves, according to the API's document.
    pub(crate) api: Option<String>,
    /// Whether the user pool may invoke it.
    #[serde(default)]
    pub(crate) trigger: bool,
    /// The queue that it consumes.
    pub(crate) queue: Option<Queue>,
    /// Properties of the function.
    #[serde(default)]
    pub(crate) function: Mapping,
    /// The statements of its role.
    #[serde(default)]
    pub(crate) access: Vec<Value>,
    /// Further resources that belong to it.
    #[serde(default)]
    pub(crate) resources: Mapping,
}

/// A queue with one consuming function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Queue {
    /// The logical id without its suffix `Queue`.
    pub(crate) name: String,
    /// Whether it holds text that people typed: then no rule sends to it, and it has a dead-letter
    /// queue of its own.
    #[serde(default)]
    pub(crate) personal: bool,
    /// How many messages the function gets in one invocation.
    pub(crate) batch_size: Option<u64>,
    /// How many invocations run at the same time.
    pub(crate) scaling_config: Option<Value>,
}

/// A function with its declaration.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) set: Set,
    /// The crate's name.
    pub(crate) name: String,
    /// The name in PascalCase, the prefix of its logical ids.
    pub(crate) id: String,
    pub(crate) declared: Declared,
}

/// Reads the declaration of every function.
pub(crate) fn functions(root: &Path) -> Result<Vec<Function>> {
    let mut found = Vec::new();
    for set in Set::ALL {
        for folder in sorted(&root.join("functions").join(set.folder()))? {
            let path = folder.join("function.yaml");
            let declared = serde_yaml_ng::from_str(&read(&path)?)
                .with_context(|| path.display().to_string())?;
            let name = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.push(Function {
                set,
                id: pascal(&name),
                name,
                declared,
            });
        }
    }
    Ok(found)
}

/// Reads the shared files into one mapping of sections.
pub(crate) fn shared(root: &Path) -> Result<Mapping> {
    let mut sections = Mapping::new();
    for path in sorted(&root.join("shared/template"))? {
        let file: Mapping =
            serde_yaml_ng::from_str(&read(&path)?).with_context(|| path.display().to_string())?;
        for (name, section) in file {
            match (sections.get_mut(&name), section) {
                (None, section) => {
                    sections.insert(name, section);
                }
                (Some(Value::Mapping(has)), Value::Mapping(adds)) => add(has, adds)?,
                (Some(_), _) => bail!("{}: {name:?} is in another file, too", path.display()),
            }
        }
    }
    Ok(sections)
}

/// Adds entries, which must not exist yet.
pub(crate) fn add(to: &mut Mapping, entries: Mapping) -> Result<()> {
    for (key, value) in entries {
        if to.contains_key(&key) {
            bail!("{key:?} is declared twice");
        }
        to.insert(key, value);
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    name.split('-').map(word).collect()
}
