//! Generates usage of several tenants from a seed: the same seed generates the same events.

use anyhow::Result;
use kernel::{Quantity, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// The age of the newest events, in seconds, so that none is in the future.
const NEWEST_S: i64 = 60;

/// The parameters of a generated file.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The same seed generates the same events.
    pub seed: u64,
    /// The number of lines.
    pub events: usize,
    /// The tenants that use the product.
    pub tenants: Vec<String>,
    /// The present time.
    pub now: Timestamp,
    /// How far back events go, in seconds.
    pub span_s: i64,
    /// How long after it happened an event may be sent, in seconds.
    pub late_s_max: i64,
}

/// The contents of a generated file, against which the bill is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The number of lines.
    pub events: u64,
    /// The number of events that count.
    pub unique: u64,
    /// The number of events that repeat another.
    pub duplicates: u64,
    /// The number of events that every region rejects.
    pub malformed: u64,
    /// The usage of each tenant and meter.
    pub usage: BTreeMap<(String, &'static str), Quantity>,
    /// The number of events in it.
    pub usage_events: BTreeMap<(String, &'static str), u64>,
}

/// Generates a file of CloudEvents, one per line. Most are new and some late; about one in twenty
/// is a duplicate, perhaps before its original, and one in fifty malformed.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, recipe: &Recipe) -> Result<Expected> {
    let mut random = fastrand::Rng::with_seed(recipe.seed);
    let mut lines: Vec<Line> = Vec::with_capacity(recipe.events);
    let mut valid: Vec<usize> = Vec::new();
    let mut expected = Expected::default();
    for number in 0..recipe.events {
        match random.u8(0..100) {
            0..5 if !valid.is_empty() => {
                let original = valid[random.usize(0..valid.len())];
                lines.push(Line {
                    sent_s: lines[original].at_s + late_s(&mut random, recipe),
                    ..lines[original].clone()
                });
                expected.duplicates += 1;
            }
            5..7 => {
                let at_s = happened_at_s(&mut random, recipe);
                lines.push(Line {
                    at_s,
                    sent_s: at_s,
                    event: malformed(&mut random, recipe, number),
                });
                expected.malformed += 1;
            }
            _ => {
                valid.push(number);
                let at_s = happened_at_s(&mut random, recipe);
                let sent_s = at_s + late_s(&mut random, recipe);
                lines.push(Line {
                    at_s,
                    sent_s,
                    event: event(&mut random, recipe, number, at_s, &mut expected),
                });
                expected.unique += 1;
            }
        }
    }
    lines.sort_by_key(|line| line.sent_s);
    expected.events = lines.len() as u64;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::new(File::create(path)?);
    for Line { event, .. } in &lines {
        serde_json::to_writer(&mut file, event)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(expected)
}

/// An event, and the times at which it happens and is sent.
#[derive(Clone)]
struct Line {
    at_s: i64,
    sent_s: i64,
    event: Value,
}

fn happened_at_s(random: &mut fastrand::Rng, recipe: &Recipe) -> i64 {
    recipe.now.as_second() - random.i64(NEWEST_S..recipe.span_s.max(NEWEST_S + 1))
}

fn late_s(random: &mut fastrand::Rng, recipe: &Recipe) -> i64 {
    random.i64(0..=recipe.late_s_max)
}

fn event(
    random: &mut fastrand::Rng,
    recipe: &Recipe,
    number: usize,
    at_s: i64,
    expected: &mut Expected,
) -> Value {
    let tenant = recipe.tenants[random.usize(0..recipe.tenants.len())].clone();
    let thousandths = random.u32(1..5_000);
    let amount = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    let (kind, meter, data) = match random.u8(0..10) {
        0..6 => ("api.request", "api-calls", json!({ "path": "/items" })),
        6..8 => (
            "transfer.completed",
            "transfer-gb",
            json!({ "gigabytes": amount }),
        ),
        8 => (
            "storage.sampled",
            "storage-gb",
            json!({ "gigabytes": thousandths }),
        ),
        _ => (
            "compute.finished",
            "compute-seconds",
            json!({ "seconds": amount }),
        ),
    };
    let value = match meter {
        "api-calls" => Quantity::from(1),
        "storage-gb" => Quantity::from(u64::from(thousandths)),
        _ => amount.parse().unwrap_or_default(),
    };
    let key = (tenant.clone(), meter);
    let total = expected.usage.remove(&key).unwrap_or_default();
    let total = if meter == "storage-gb" {
        total.max(value)
    } else {
        total + &value
    };
    expected.usage.insert(key.clone(), total);
    *expected.usage_events.entry(key).or_default() += 1;
    cloud_event(recipe, number, &tenant, kind, &time(at_s), data)
}

fn malformed(random: &mut fastrand::Rng, recipe: &Recipe, number: usize) -> Value {
    let tenant = &recipe.tenants[random.usize(0..recipe.tenants.len())];
    let now = time(recipe.now.as_second() - NEWEST_S);
    let gigabytes = |value: Value| json!({ "gigabytes": value });
    match random.u8(0..6) {
        0 => cloud_event(recipe, number, tenant, "coffee.brewed", &now, json!({})),
        1 => cloud_event(
            recipe,
            number,
            tenant,
            "transfer.completed",
            &now,
            gigabytes(json!("plenty")),
        ),
        2 => cloud_event(
            recipe,
            number,
            tenant,
            "transfer.completed",
            &now,
            gigabytes(Value::Null),
        ),
        3 => {
            let future = time(recipe.now.as_second() + 86_400 * 400);
            cloud_event(recipe, number, tenant, "api.request", &future, json!({}))
        }
        4 => {
            let nobody = "00000000-0000-7000-8000-000000000000";
            cloud_event(recipe, number, nobody, "api.request", &now, json!({}))
        }
        _ => json!({ "specversion": "1.0", "type": "api.request", "id": format!("e-{number}") }),
    }
}

fn cloud_event(
    recipe: &Recipe,
    number: usize,
    tenant: &str,
    kind: &str,
    at: &str,
    data: Value,
) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("e-{}-{number}", recipe.seed),
        "source": "/demo/product",
        "type": kind,
        "subject": tenant,
        "time": at,
        "data": data,
    })
}

fn time(second: i64) -> String {
    Timestamp::from_second(second)
        .unwrap_or_default()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_generates_the_same_events_and_their_totals() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe {
            seed: 7,
            events: 5_000,
            tenants: vec!["a".to_owned(), "b".to_owned()],
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            span_s: 86_400,
            late_s_max: 3_600,
        };
        let (first, second) = (folder.path().join("1"), folder.path().join("2"));
        let expected = write(&first, &recipe).unwrap();
        assert_eq!(write(&second, &recipe).unwrap(), expected);
        assert_eq!(
            std::fs::read(&first).unwrap(),
            std::fs::read(&second).unwrap()
        );
        assert_eq!(
            expected.unique + expected.duplicates + expected.malformed,
            5_000
        );
        assert!(expected.duplicates > 100 && expected.malformed > 50);
        assert_eq!(expected.usage_events.values().sum::<u64>(), expected.unique);

        let other = write(&second, &Recipe { seed: 8, ..recipe }).unwrap();
        assert_ne!(other, expected);
    }
}
