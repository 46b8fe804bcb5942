//! Forwards HTTP messages byte for byte.

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deployment::clients::http;

/// Headers that describe one connection, not the message.
const OF_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::CONTENT_LENGTH,
];

/// A request with its whole body.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Request {
    /// Reads a whole request; `limit` is the largest body in bytes.
    ///
    /// # Errors
    /// When the body is larger, or the caller disconnects.
    pub async fn read(request: axum::extract::Request, limit: usize) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, limit)
            .await
            .context("body too large or incomplete")?;
        let path = parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        Ok(Self {
            method: parts.method,
            path,
            headers: parts.headers,
            body,
        })
    }

    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A response with its whole body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Forwards a request to a server and returns its response.
///
/// # Errors
/// When the server does not answer.
pub async fn forward(base: &str, path: &str, request: &Request) -> Result<Answer> {
    let mut headers = request.headers.clone();
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    let answer = http()
        .request(request.method.clone(), format!("{base}{path}"))
        .headers(headers)
        .body(request.body.clone())
        .send()
        .await
        .context("the region does not answer")?;
    let status = answer.status();
    let mut headers = answer.headers().clone();
    // The response to HEAD has no body, and its length header describes the object.
    let keep_length = request.method == Method::HEAD;
    for name in OF_CONNECTION {
        if !(keep_length && name == header::CONTENT_LENGTH) {
            headers.remove(name);
        }
    }
    let body = answer
        .bytes()
        .await
        .context("the region broke off its answer")?;
    Ok(Answer {
        status,
        headers,
        body,
    })
}
