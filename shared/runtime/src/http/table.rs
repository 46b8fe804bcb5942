//! Answers as a table, for who prefers one.

use super::Problem;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

const CSV: &str = "text/csv";

/// Whether a caller accepts CSV.
#[must_use]
pub fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split(',').filter_map(|kind| kind.split(';').next()).any(|kind| kind.trim().eq_ignore_ascii_case(CSV))
}

/// Rows as CSV (RFC 4180), under a line with the names of their columns.
///
/// # Errors
/// When a row cannot be written as one.
pub fn csv_table<R: Serialize>(columns: &[&str], rows: impl IntoIterator<Item = R>) -> Result<Response, Problem> {
    let mut writer =
        csv::WriterBuilder::new().has_headers(false).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: csv::Error| Problem::internal(&error);
    writer.write_record(columns).map_err(failed)?;
    for row in rows {
        writer.serialize(row).map_err(failed)?;
    }
    let text = writer.into_inner().map_err(|error| Problem::internal(error.error()))?;
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
}
