//! Canaries: unmistakable personal data, and the search for it outside its region.
//!
//! A canary belongs to one region. The search reads everything that another region's emulator
//! holds: tables, queues, events in flight, logs, metrics, objects, mails. The emulators write all
//! of that to disk when they stop, so the search reads files and misses no service. Logs and
//! metrics may not hold a canary even in its own region.

use crate::stack::Stack;
use aho_corasick::AhoCorasick;
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures::future::{join_all, try_join_all};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// A personal value, and the only region where it may be.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The region.
    pub region: String,
    /// The kind of value, such as `email`.
    pub field: &'static str,
    /// The value: long, and unlike any other text.
    pub value: String,
}

/// The result of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Search {
    /// How many canaries were searched for.
    pub canaries: usize,
    /// How many of them were found in their own region, which proves that the search sees them.
    pub at_home: usize,
    /// The fields of those that were not found there.
    pub missing: Vec<&'static str>,
    /// The canaries found where none may be.
    pub strays: Vec<Stray>,
    /// How many files were read.
    pub files: usize,
    /// How many bytes were read.
    pub bytes: u64,
}

/// A canary outside its region, or in a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stray {
    /// The region where it belongs.
    pub from: String,
    /// The kind of value.
    pub field: &'static str,
    /// The encoding in which it was found.
    pub encoding: &'static str,
    /// The file where it was found.
    pub file: PathBuf,
}

impl Stack {
    /// Stops every region, so that its emulator writes its state to disk, and searches that state
    /// for canaries of other regions. With `restart`, starts the regions again.
    ///
    /// # Errors
    /// When a region cannot be stopped or started, or a file cannot be read.
    pub async fn search(&self, canaries: &[Canary], restart: bool) -> Result<Search> {
        let regions: Vec<String> = self.deployment().regions.keys().cloned().collect();
        // Waits for all of them even if one fails: a region that is still stopping cannot be
        // started.
        let stopped = join_all(
            regions
                .iter()
                .map(async |region| self.stop_region(region).await),
        )
        .await;
        stopped.into_iter().collect::<Result<()>>()?;
        let places: Vec<_> = regions
            .iter()
            .map(|region| (region.clone(), self.layout().region(region)))
            .collect();
        let found = search(canaries, &places)?;
        if restart {
            try_join_all(
                regions
                    .iter()
                    .map(async |region| self.start_region(region).await),
            )
            .await?;
        }
        Ok(found)
    }
}

/// Searches the files of every region for every canary: `places` lists regions with their folders.
///
/// # Errors
/// When a file cannot be read.
pub fn search(canaries: &[Canary], places: &[(String, PathBuf)]) -> Result<Search> {
    let mut patterns = Vec::new();
    let mut meanings = Vec::new();
    for (index, canary) in canaries.iter().enumerate() {
        for (encoding, pattern) in encodings(&canary.value) {
            patterns.push(pattern);
            meanings.push((index, encoding));
        }
    }
    let matcher = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(&patterns)?;
    let mut search = Search {
        canaries: canaries.len(),
        ..Search::default()
    };
    let mut at_home = vec![false; canaries.len()];
    for (region, folder) in places {
        for file in files(folder)? {
            let bytes =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let is_log = is_log(&file);
            search.files += 1;
            search.bytes += bytes.len() as u64;
            for found in matcher.find_overlapping_iter(&bytes) {
                let (index, encoding) = meanings[found.pattern().as_usize()];
                let canary = &canaries[index];
                if canary.region == *region && !is_log {
                    at_home[index] = true;
                } else {
                    let from = canary.region.clone();
                    search.strays.push(Stray {
                        from,
                        field: canary.field,
                        encoding,
                        file: file.clone(),
                    });
                }
            }
        }
    }
    search.at_home = at_home.iter().filter(|found| **found).count();
    let missing = canaries.iter().zip(&at_home).filter(|(_, found)| !**found);
    search.missing = missing.map(|(canary, _)| canary.field).collect();
    search.strays.sort();
    search.strays.dedup();
    Ok(search)
}

/// Whether the emulator stores logs or metrics in a file.
fn is_log(file: &Path) -> bool {
    file.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("cloudwatch"))
}

/// Every encoding in which we, or somebody careless, might write a value: plain, base64 at any of
/// its three alignments, hexadecimal, and as an unsalted hash, which anybody could look up.
fn encodings(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("plain", value.as_bytes().to_vec()),
        ("hexadecimal", hex(value.as_bytes())),
    ];
    for shift in 0..3 {
        all.push(("base64", base64_at(shift, value.as_bytes())));
    }
    for text in [value.to_owned(), value.to_lowercase()] {
        let digest = Sha256::digest(text.as_bytes());
        all.push(("SHA-256", hex(&digest)));
        all.push(("SHA-256", STANDARD_NO_PAD.encode(digest).into_bytes()));
    }
    let escaped: String = value.chars().flat_map(char::escape_unicode).collect();
    if value.contains('@') {
        all.push(("percent encoding", value.replace('@', "%40").into_bytes()));
    }
    all.push(("escapes", escaped.into_bytes()));
    all
}

/// The part of a base64 text that depends on the value alone, if `shift` bytes precede it.
fn base64_at(shift: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(value);
    let text = STANDARD_NO_PAD.encode(&bytes);
    let begin = (shift * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    text.as_bytes()[begin..end].to_vec()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn check(text: &[u8], encoding: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        let places = ["eu", "us"].map(|region| (region.to_owned(), folder.path().join(region)));
        for (_, place) in &places {
            std::fs::create_dir(place).unwrap();
        }
        let canary = Canary {
            region: "eu".to_owned(),
            field: "email",
            value: "Kestrel-9f31c2@example.org".to_owned(),
        };
        std::fs::write(places[0].1.join("table"), &canary.value).unwrap();
        std::fs::write(places[1].1.join("log"), text).unwrap();
        let found = search(&[canary], &places).unwrap();
        assert_eq!(found.at_home, 1);
        assert_eq!(
            found.strays.first().map(|stray| stray.encoding),
            encoding,
            "{}",
            String::from_utf8_lossy(text)
        );
    }

    #[test]
    fn a_stray_is_found_in_every_encoding() {
        let value = "Kestrel-9f31c2@example.org";
        check(b"nothing personal", None);
        check(format!("mail to {value}.").as_bytes(), Some("plain"));
        check(value.to_lowercase().as_bytes(), Some("plain"));
        check(b"x=kestrel-9f31c2%40example.org", Some("percent encoding"));
        for before in ["", "a", "ab", "abc"] {
            check(
                STANDARD
                    .encode(format!("{before}{value} and more"))
                    .as_bytes(),
                Some("base64"),
            );
        }
        check(&hex(value.as_bytes()), Some("hexadecimal"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cloudwatch_logs.json"), value).unwrap();
        let canary = Canary {
            region: "eu".to_owned(),
            field: "email",
            value: value.to_owned(),
        };
        let found = search(&[canary], &[("eu".to_owned(), folder.path().to_owned())]).unwrap();
        assert_eq!(
            (found.at_home, found.missing.len(), found.strays.len()),
            (0, 1, 1),
            "a log may not hold it, even at home"
        );
        check(&hex(&Sha256::digest(value.to_lowercase())), Some("SHA-256"));
    }
}
