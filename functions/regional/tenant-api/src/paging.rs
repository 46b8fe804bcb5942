//! Pages of lists.

use crate::access::Refused;
use crate::problems;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use std::collections::HashMap;
use tenancy::FieldProblem;

const LIMIT_DEFAULT: u8 = 50;
const LIMIT_MAX: u8 = 100;
const CURSOR_LENGTH_MAX: usize = 64;

/// Which page a caller asks for: `?cursor=...&limit=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Where the page begins, as the store says it.
    pub(crate) cursor: Option<String>,
    /// How much is on it at most.
    pub(crate) limit: u8,
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query =
            Query::<HashMap<String, String>>::try_from_uri(&parts.uri).map(|Query(query)| query);
        // A query that cannot be read has neither.
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
                reason: "the next_cursor of an earlier answer",
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

/// The store's cursor as a caller sees it: in letters that a query need not escape.
pub(crate) fn shown(next: Option<String>) -> Option<String> {
    next.map(|next| next.replace('#', "."))
}

fn is_cursor(text: &str) -> bool {
    let of_ours =
        |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-' || b == b'.';
    (1..=CURSOR_LENGTH_MAX).contains(&text.len()) && text.bytes().all(of_ours)
}
