//! Reads the logs of functions and emulators.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use deployment::clients::http;
use serde::Deserialize;
use serde_json::json;

use super::local_json::LocalRegion;
use super::sdk;
use super::stack::Stack;

/// The administrator's authorization for a region's logs. The emulator reads the region from it,
/// and accepts the administrator's key without checking the signature.
fn authorization(region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{region}/logs/aws4_request, SignedHeaders=host, Signature=none"
    )
}

/// Which logs to show.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only this region.
    pub region: Option<String>,
    /// Only this function.
    pub function: Option<String>,
    /// The emulators' own logs instead of the functions'.
    pub emulator: bool,
    /// Whether to wait for new lines.
    pub follow: bool,
}

/// A line of a function's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The time, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The region.
    pub region: String,
    /// The function's own name.
    pub function: String,
    /// The message.
    pub message: String,
}

/// Shows logs, oldest first, line by line.
///
/// # Errors
/// When a region does not answer, or the selection names a region or function that does not exist.
pub async fn show(stack: &Stack, selection: &Selection, mut print: impl FnMut(&str)) -> Result<()> {
    if let Some(region) = &selection.region {
        stack.deployment().region(region)?;
    }
    if selection.emulator {
        return show_emulators(stack, selection, print).await;
    }
    let groups = groups(stack, selection).await?;
    if groups.is_empty() {
        bail!(
            "no region has a function {}",
            selection.function.as_deref().unwrap_or_default()
        );
    }
    let mut since = BTreeMap::new();
    loop {
        let mut lines = Vec::new();
        for group in &groups {
            let from = since.get(&group.name).copied().unwrap_or(0);
            let new = group.read(from).await?;
            if let Some(last) = new.iter().map(|line| line.at_ms).max() {
                since.insert(group.name.clone(), last + 1);
            }
            lines.extend(new);
        }
        lines.sort_by(|a, b| {
            (a.at_ms, &a.region, &a.function).cmp(&(b.at_ms, &b.region, &b.function))
        });
        for line in lines {
            let time = jiff::Timestamp::from_millisecond(line.at_ms).unwrap_or_default();
            print(&format!(
                "{time:.3} {} {} {}",
                line.region,
                line.function,
                line.message.trim_end()
            ));
        }
        if !selection.follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// All lines that the functions of a region have logged, oldest first.
///
/// # Errors
/// When the region does not answer.
pub async fn lines(stack: &Stack, region: &str) -> Result<Vec<Line>> {
    let selection = Selection {
        region: Some(region.to_owned()),
        ..Selection::default()
    };
    let mut lines = Vec::new();
    for group in groups(stack, &selection).await? {
        lines.extend(group.read(0).await?);
    }
    lines.sort();
    Ok(lines)
}

struct Group {
    url: String,
    region: String,
    function: String,
    name: String,
}

async fn groups(stack: &Stack, selection: &Selection) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    let wanted =
        |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
    for (code, region) in stack
        .deployment()
        .regions
        .iter()
        .filter(|(code, _)| wanted(&selection.region, code))
    {
        let local = stack.local().region(code)?;
        for (function, deployed) in region
            .functions
            .iter()
            .filter(|(name, _)| wanted(&selection.function, name))
        {
            groups.push(Group {
                url: local.emulator_url.clone(),
                region: code.clone(),
                function: function.clone(),
                name: group_of(code, local, deployed).await?,
            });
        }
    }
    Ok(groups)
}

/// The log group of a function: the configured one, or Lambda's default.
async fn group_of(code: &str, local: &LocalRegion, deployed: &str) -> Result<String> {
    let lambda = aws_sdk_lambda::Client::new(&sdk::config(code, &local.emulator_url));
    let found = lambda
        .get_function_configuration()
        .function_name(deployed)
        .send()
        .await;
    let found = found.with_context(|| format!("region {code} does not answer"))?;
    let own = found
        .logging_config()
        .and_then(|logging| logging.log_group());
    Ok(own.map_or_else(|| format!("/aws/lambda/{deployed}"), str::to_owned))
}

impl Group {
    async fn read(&self, from_ms: i64) -> Result<Vec<Line>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            events: Vec<Event>,
            #[serde(default, rename = "nextToken")]
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        struct Event {
            timestamp: i64,
            message: String,
        }
        let mut lines = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut query = json!({ "logGroupName": self.name, "startTime": from_ms });
            if let Some(token) = token {
                query["nextToken"] = json!(token);
            }
            let answer = http()
                .post(&self.url)
                .header("x-amz-target", "Logs_20140328.FilterLogEvents")
                .header("content-type", "application/x-amz-json-1.1")
                .header("authorization", authorization(&self.region))
                .body(query.to_string())
                .send()
                .await?;
            // A function that was never invoked may have no log group yet.
            if answer.status() == reqwest::StatusCode::BAD_REQUEST {
                return Ok(lines);
            }
            let answer: Answer = answer.error_for_status()?.json().await?;
            lines.extend(answer.events.into_iter().map(|event| Line {
                at_ms: event.timestamp,
                region: self.region.clone(),
                function: self.function.clone(),
                message: event.message,
            }));
            match answer.next_token {
                Some(next) => token = Some(next),
                None => return Ok(lines),
            }
        }
    }
}

async fn show_emulators(
    stack: &Stack,
    selection: &Selection,
    mut print: impl FnMut(&str),
) -> Result<()> {
    let mut read = BTreeMap::new();
    loop {
        for code in stack.deployment().regions.keys() {
            if selection
                .region
                .as_deref()
                .is_some_and(|wanted| wanted != code)
            {
                continue;
            }
            let log = std::fs::read(stack.layout().emulator_log(code)).unwrap_or_default();
            let from = read
                .insert(code.clone(), log.len())
                .unwrap_or(0)
                .min(log.len());
            for line in String::from_utf8_lossy(&log[from..]).lines() {
                print(&format!("{code} {line}"));
            }
        }
        if !selection.follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
