//! HTTP/1.1 with bodies of known length, over any connection.

use anyhow::{Context, Result};
use std::io::{BufRead, Write};

/// A received request or response.
#[derive(Debug, Default)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// The headers: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads the next message. None where the connection ended before it.
    ///
    /// # Errors
    /// When the connection ends within a message.
    pub fn read(from: &mut impl BufRead) -> Result<Option<Self>> {
        let mut message = Self::default();
        if from.read_line(&mut message.start)? == 0 {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let header = (name.to_ascii_lowercase(), value.trim().to_owned());
            message.headers.push(header);
        }
        let length = message.header("content-length").unwrap_or("0");
        let length = length.parse().context("content-length is not a number")?;
        message.body.resize(length, 0);
        from.read_exact(&mut message.body)?;
        Ok(Some(message))
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(found, _)| found == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// The method and the path of a request.
    #[must_use]
    pub fn route(&self) -> (&str, &str) {
        let mut words = self.start.split(' ');
        (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        )
    }
}

/// Writes a message in one piece.
///
/// # Errors
/// When the connection fails.
pub fn write(
    to: &mut impl Write,
    start: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<()> {
    let mut message = format!("{start}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        message.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    to.write_all(&message)?;
    to.flush()?;
    Ok(())
}
