//! Pages of lists.

use crate::access::Refused;
use crate::problems;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use std::collections::HashMap;
use tenancy::FieldProblem;

/// The page size of a request without a limit.
const LIMIT_DEFAULT: u8 = 50;
/// The largest page that the store reads.
const LIMIT_MAX: u8 = 100;
/// The longest cursor is the audit trail's with 50 characters: 13 digits, a separator, a UUID.
const CURSOR_LENGTH_MAX: usize = 64;

/// The page that a caller requests: `?cursor=...&limit=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The store's cursor of the page; none for the first page.
    pub(crate) cursor: Option<String>,
    /// The most entries of the page.
    pub(crate) limit: u8,
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query =
            Query::<HashMap<String, String>>::try_from_uri(&parts.uri).map(|Query(query)| query);
        // A malformed query has neither parameter.
        let query = query.unwrap_or_default();
        let mut problems = Vec::new();
        let limit = match query.get("limit").map(|limit| limit.parse()) {
            None => LIMIT_DEFAULT,
            Some(Ok(limit @ 1..=LIMIT_MAX)) => limit,
            Some(_) => {
                problems.push(FieldProblem {
                    field: "limit",
                    reason: "a whole number from 1 to 100",
                });
                LIMIT_DEFAULT
            }
        };
        let cursor = query.get("cursor");
        if cursor.is_some_and(|cursor| !is_cursor(cursor)) {
            problems.push(FieldProblem {
                field: "cursor",
                reason: "the next_cursor of an earlier response",
            });
        }
        if problems.is_empty() {
            Ok(Self {
                cursor: cursor.map(|cursor| cursor.replace('.', "#")),
                limit,
            })
        } else {
            Err(problems::invalid_fields(&problems).into())
        }
    }
}

/// The store's cursor as a caller sees it: without characters that a query has to escape.
pub(crate) fn shown(next: Option<String>) -> Option<String> {
    next.map(|next| next.replace('#', "."))
}

fn is_cursor(text: &str) -> bool {
    let is_allowed =
        |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-' || b == b'.';
    (1..=CURSOR_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
}
