//! Scheduled tasks and rate limits.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::resolve::Destination;
use crate::resolve::lead;
use crate::rows::{self, DUE_SHARDS, stored};
use crate::write::TenantStore;
use dynamo::{AttributeValue, number, text};
use jiff::SignedDuration;
use kernel::Timestamp;
use serde::Deserialize;
use tenancy::{KeyDigest, ScheduledTask};

/// The stored length of a mark, in characters: enough to tell the few thousand marks of a window
/// apart.
pub(crate) const MARK_LENGTH: usize = 16;
pub(crate) const HOUR_S: i64 = 3_600;

/// The retention of a beginning: a message about it is redelivered for a few hours at most.
const BEGAN_KEPT_S: i64 = 24 * HOUR_S;

#[derive(Deserialize)]
struct Beginning {
    began_ms: i64,
}

/// A rate limit: how often something may be done in a window of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The digest of what is counted: an address or a source must not be readable from the key.
    pub of: KeyDigest,
    /// The most times in one window.
    pub times_max: u64,
    /// The length of a window, in seconds. Windows begin at its multiples.
    pub window_s: i64,
}

/// The answer of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Allowed, and counted.
    Yes,
    /// Refused until the window ends.
    NotBefore {
        /// The seconds until the window ends.
        wait_s: i64,
    },
}

impl Limit {
    /// A limit per hour.
    #[must_use]
    pub const fn hourly(of: KeyDigest, times_max: u64) -> Self {
        Self {
            of,
            times_max,
            window_s: HOUR_S,
        }
    }

    /// A limit per day.
    #[must_use]
    pub const fn daily(of: KeyDigest, times_max: u64) -> Self {
        Self {
            of,
            times_max,
            window_s: 24 * HOUR_S,
        }
    }

    /// The start of the window that holds `now`, and the seconds left in it.
    fn window(&self, now: Timestamp) -> (i64, i64) {
        window_of(self.window_s, now)
    }
}

/// The start of the window of this length that holds `now`, and the seconds left in it.
pub(crate) fn window_of(window_s: i64, now: Timestamp) -> (i64, i64) {
    let window_s = window_s.max(1);
    let past_s = now.as_second().rem_euclid(window_s);
    (now.as_second() - past_s, window_s - past_s)
}

/// The destination of a subdomain, and the state of the caller's rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The destination; none where there is no such subdomain.
    pub lead: Option<Destination>,
    /// The seconds to wait, where the limit had been reached.
    pub wait_s: Option<i64>,
}

/// Counts against rate limits, for functions that change nothing else.
#[derive(Debug, Clone)]
pub struct Tally {
    reader: TenantReader,
}

impl TenantReader {
    /// The tasks that are due at a moment, oldest first, at most `limit` from each of the 8
    /// partitions.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_due_tasks(
        &self,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<ScheduledTask>, TenantStoreError> {
        let mut due = Vec::new();
        for shard in DUE_SHARDS.all() {
            let end = format!("{}~", rows::milliseconds(now));
            let query = self
                .table
                .query(rows::due_partition(shard))
                .before(end)
                .limit(limit);
            for item in query
                .page()
                .await
                .map_err(TenantStoreError::of("load due tasks"))?
                .items
            {
                due.push(stored::<ScheduledTask>(item, "due")?);
            }
        }
        due.sort_by_key(|due| due.at);
        Ok(due)
    }
}

impl TenantStore {
    /// Deletes a due task of a tenant that no longer exists.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn drop_due(&self, due: &ScheduledTask) -> Result<(), TenantStoreError> {
        self.reader
            .send("delete a due task", self.delete(rows::due_key(due)))
            .await
            .map(|_| ())
    }

    /// As [`Tally::take`].
    ///
    /// # Errors
    /// When the table fails.
    pub async fn take(
        &self,
        limit: &Limit,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<Taken, TenantStoreError> {
        Tally::new(self.reader.clone()).take(limit, mark, now).await
    }
}

impl Tally {
    /// Counts in a reader's table.
    #[must_use]
    pub const fn new(reader: TenantReader) -> Self {
        Self { reader }
    }

    /// Resolves a subdomain as [`TenantReader::resolve`] does, and reads a rate limit. One request,
    /// the same for known and unknown subdomains, so that its duration tells nothing. Counts
    /// nothing.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn resolve(
        &self,
        subdomain: &str,
        limit: &Limit,
        now: Timestamp,
    ) -> Result<Resolved, TenantStoreError> {
        let (start, rest_s) = limit.window(now);
        let keys = vec![
            rows::subdomain_key(subdomain),
            rows::limit_key(&limit.of, start),
        ];
        let mut resolved = Resolved {
            lead: None,
            wait_s: None,
        };
        for item in self.reader.batch("resolve a subdomain", keys, &[]).await? {
            match item.get("marks") {
                Some(marks) => {
                    let used = marks.as_ss().map_or(0, Vec::len) as u64;
                    resolved.wait_s = (used >= limit.times_max).then_some(rest_s);
                }
                None => resolved.lead = lead(stored(item, "alias")?),
            }
        }
        Ok(resolved)
    }

    /// The start of what happens at `at`: what began less than `within` before is still the same,
    /// anything later begins anew. A message that is redelivered or out of order belongs to the
    /// recorded start where it is less than `within` away from it. One write, and one read where
    /// nothing began now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn began(
        &self,
        of: &KeyDigest,
        at: Timestamp,
        within: SignedDuration,
    ) -> Result<Timestamp, TenantStoreError> {
        let (at_ms, within_ms) = (
            at.as_millisecond(),
            i64::try_from(within.as_millis()).unwrap_or(i64::MAX),
        );
        // Rounded as stored: a later delivery gets the same moment back.
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(at);
        let begin = self
            .reader
            .table
            .update(rows::began_key(of), "SET began_ms = :at, expires_at = :end")
            .when("attribute_not_exists(began_ms) OR began_ms <= :before")
            .value(":at", number(at_ms))
            .value(":before", number(at_ms.saturating_sub(within_ms)))
            .value(":end", number(at.as_second() + BEGAN_KEPT_S));
        if self.reader.send("note a beginning", begin).await? {
            return Ok(at);
        }
        let Some(item) = self
            .reader
            .get_all("look for a beginning", rows::began_key(of))
            .await?
        else {
            return Ok(at);
        };
        let Beginning { began_ms } = stored(item, "beginning")?;
        // Something later has begun since, and this message belongs to what was before it.
        let is_of_it = began_ms.saturating_sub(at_ms) < within_ms;
        let began = Timestamp::from_millisecond(began_ms)
            .ok()
            .filter(|_| is_of_it);
        Ok(began.unwrap_or(at))
    }

    /// Counts one more of something, unless the limit is reached. A mark that was counted before is
    /// not counted again: a repeated request is one.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn take(
        &self,
        limit: &Limit,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<Taken, TenantStoreError> {
        let (start, rest_s) = limit.window(now);
        let mark: String = mark.as_str().chars().take(MARK_LENGTH).collect();
        let count = self
            .reader
            .table
            .update(
                rows::limit_key(&limit.of, start),
                "SET expires_at = :end ADD marks :mark",
            )
            .when("attribute_not_exists(marks) OR size(marks) < :most OR contains(marks, :text)")
            .value(":end", number(start + 2 * limit.window_s.max(1)))
            .value(":mark", AttributeValue::Ss(vec![mark.clone()]))
            .value(":text", text(mark))
            .value(":most", number(limit.times_max));
        let is_counted = self.reader.send("count", count).await?;
        Ok(if is_counted {
            Taken::Yes
        } else {
            Taken::NotBefore { wait_s: rest_s }
        })
    }
}
