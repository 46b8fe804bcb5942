//! Reads the body of a request, bounded before and after decompression.

use crate::problems::{ProblemKind, refuse, unsupported_encoding};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use flate2::bufread::MultiGzDecoder;
use metering::{BODY_BYTES_MAX, BodyError};
use runtime::http::Problem;
use std::io::{BufRead, Read as _};

/// The content coding of a body (RFC 9110, 8.4).
enum Coding {
    Identity,
    Gzip,
}

/// Reads a body of at most [`BODY_BYTES_MAX`] bytes, both compressed and inflated.
pub(crate) async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let coding = coding(headers)?;
    let bytes = to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| refuse(BodyError::TooLarge))?;
    match coding {
        Coding::Identity => Ok(bytes),
        Coding::Gzip => inflate(bytes.as_ref()).map(Bytes::from),
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    // A list of codings would be inflated several times; only one is supported.
    let (named, further) = (codings.next(), codings.next());
    let Some(named) = named else {
        return Ok(Coding::Identity);
    };
    match named.as_bytes().to_ascii_lowercase().as_slice() {
        b"identity" if further.is_none() => Ok(Coding::Identity),
        b"gzip" | b"x-gzip" if further.is_none() => Ok(Coding::Gzip),
        _ => Err(unsupported_encoding()),
    }
}

/// Inflates every member of a gzip file (RFC 1952). Stops one byte beyond the limit, so that a
/// small body that inflates to gigabytes costs no memory.
pub(crate) fn inflate(compressed: impl BufRead) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let bounded = MultiGzDecoder::new(compressed)
        .take(BODY_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    if bytes.len() > BODY_BYTES_MAX {
        return Err(refuse(BodyError::TooLarge));
    }
    bounded
        .map(|_| bytes)
        .map_err(|_| ProblemKind::MalformedGzip.into())
}
