//! A minimal function: sockets, our own request signatures, rustls, and two reads of DynamoDB.
//! Other functions are compared with it.
//!
//! Trigger: any event. Reads: an item, twice, one read after the other. Emits: nothing.

use anyhow::{Context, Result, ensure};
use coldstart::http::{self, Message};
use ring::{digest, hmac};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt::Write as _;
use std::io::BufReader;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const AMAZON_ROOTS: &[u8] = include_bytes!("../../runtime/src/amazon-roots.pem");
const READ: &[u8] =
    br#"{"TableName":"table","Key":{"pk":{"S":"A"},"sk":{"S":"1"}},"ConsistentRead":true}"#;
const TARGET: &str = "DynamoDB_20120810.GetItem";
const READS: usize = 2;

type Tls = BufReader<StreamOwned<ClientConnection, TcpStream>>;

fn main() -> Result<()> {
    let environment = Environment::read()?;
    // The connection is opened before the first event, as the functions do.
    let mut dynamodb = connect(&environment.host)?;
    let stream = TcpStream::connect(&environment.runtime_api)?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(&stream), &stream);
    let host = [("host", environment.runtime_api.as_str())];
    loop {
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1";
        http::write(&mut writer, next, &host, &[])?;
        let Some(event) = Message::read(&mut reader)? else {
            return Ok(());
        };
        for _ in 0..READS {
            environment.get_item(&mut dynamodb)?;
        }
        let id = event.header("lambda-runtime-aws-request-id");
        let path = format!(
            "/2018-06-01/runtime/invocation/{}/response",
            id.unwrap_or_default()
        );
        http::write(
            &mut writer,
            &format!("POST {path} HTTP/1.1"),
            &host,
            b"\"done\"",
        )?;
        Message::read(&mut reader)?;
    }
}

fn connect(host: &str) -> Result<Tls> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
        roots.add(root?)?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    let mut stream = TcpStream::connect((host, 443))?;
    stream.set_nodelay(true)?;
    let mut tls = ClientConnection::new(Arc::new(config), name)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(BufReader::new(StreamOwned::new(tls, stream)))
}

/// The environment that Lambda sets.
struct Environment {
    runtime_api: String,
    region: String,
    host: String,
    key_id: String,
    secret: String,
    token: String,
}

impl Environment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the floor has nothing of ours that reads the environment"
    )]
    fn read() -> Result<Self> {
        let variable =
            |name: &str| std::env::var(name).with_context(|| format!("{name} is missing"));
        let region = variable("AWS_REGION")?;
        Ok(Self {
            runtime_api: variable("AWS_LAMBDA_RUNTIME_API")?,
            host: format!("dynamodb.{region}.amazonaws.com"),
            region,
            key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
            token: variable("AWS_SESSION_TOKEN")?,
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the floor has nothing of ours that reads the clock"
    )]
    fn get_item(&self, dynamodb: &mut Tls) -> Result<()> {
        let time = amz_date(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("host", self.host.as_str()),
            ("x-amz-date", time.as_str()),
            ("x-amz-security-token", self.token.as_str()),
            ("x-amz-target", TARGET),
        ];
        let authorization = self.sign(&headers, &time, READ);
        let mut signed = headers.to_vec();
        signed.push(("authorization", &authorization));
        http::write(dynamodb.get_mut(), "POST / HTTP/1.1", &signed, READ)?;
        let answer = Message::read(dynamodb)?.context("DynamoDB hung up")?;
        ensure!(
            answer.start.contains(" 200 "),
            "DynamoDB answered {}",
            answer.start
        );
        Ok(())
    }

    /// The AWS Signature Version 4 of a POST to `/`. The headers must be sorted.
    fn sign(&self, headers: &[(&str, &str)], time: &str, body: &[u8]) -> String {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut request = "POST\n/\n\n".to_owned();
        for (name, value) in headers {
            request.extend([*name, ":", *value, "\n"]);
        }
        request.extend(["\n", names.as_str(), "\n", hash(body).as_str()]);
        let day = &time[..8];
        let scope = format!("{day}/{}/dynamodb/aws4_request", self.region);
        let text = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hash(request.as_bytes())
        );
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [day, &self.region, "dynamodb", "aws4_request"] {
            key = mac(&key, part).as_ref().to_vec();
        }
        let signature = hexadecimal(mac(&key, &text).as_ref());
        let credential = format!("{}/{scope}", self.key_id);
        format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
    }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(text: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, text).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

/// Formats a moment in seconds since 1970 as `20261103T100000Z`. The date follows the algorithm
/// `civil_from_days` of Howard Hinnant.
fn amz_date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{:02}Z",
        second % 60
    )
}
