//! Answers in CSV, and their pagination.

use super::Problem;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use kernel::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

const CSV: &str = "text/csv";

/// Whether a caller accepts CSV.
#[must_use]
pub fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    accept
        .split(',')
        .filter_map(|kind| kind.split(';').next())
        .any(|kind| kind.trim().eq_ignore_ascii_case(CSV))
}

/// Rows as CSV (RFC 4180), after a header line with the columns.
///
/// # Errors
/// When a row cannot be serialized.
pub fn csv_table<R: Serialize>(
    columns: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> Result<Response, Problem> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let failed = |error: csv::Error| Problem::internal(&error);
    writer.write_record(columns).map_err(failed)?;
    for row in rows {
        writer.serialize(row).map_err(failed)?;
    }
    let text = writer
        .into_inner()
        .map_err(|error| Problem::internal(error.error()))?;
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
}

/// Truncates rows that are sorted by time to about `rows_max`, without separating rows of the same
/// moment. Returns the moment of the first removed row.
pub fn cut<R>(
    rows: &mut Vec<R>,
    rows_max: usize,
    start_of: impl Fn(&R) -> Timestamp,
) -> Option<Timestamp> {
    let last = start_of(rows.get(rows_max.checked_sub(1)?)?);
    let end = rows.partition_point(|row| start_of(row) <= last);
    let next = start_of(rows.get(end)?);
    rows.truncate(end);
    Some(next)
}

/// The link to the next page, as the value of the header `link` (RFC 8288): the same query with
/// another `from`.
///
/// # Errors
/// When the query cannot be serialized.
pub fn next_link(
    path: &str,
    query: &HashMap<String, String>,
    from: Timestamp,
) -> Result<HeaderValue, Problem> {
    let mut next: BTreeMap<&str, String> = query
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    next.insert("from", from.to_string());
    let next = serde_urlencoded::to_string(next).map_err(|error| Problem::internal(&error))?;
    HeaderValue::try_from(format!("<{path}?{next}>; rel=\"next\""))
        .map_err(|error| Problem::internal(&error))
}
