//! A stand-in for AWS: TLS under AWS's own names, and constant answers.

use crate::cases::Answers;
use anyhow::{Context, Result, ensure};
use coldstart::http::{self, Message};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The names that resolve to this machine during the measurement.
pub(crate) const HOSTS: [&str; 6] = [
    "cognito-idp.eu-central-1.amazonaws.com",
    "dynamodb.eu-central-1.amazonaws.com",
    "email.eu-central-1.amazonaws.com",
    "events.eu-central-1.amazonaws.com",
    "sqs.eu-central-1.amazonaws.com",
    "sts.eu-central-1.amazonaws.com",
];

/// The server behind these names.
#[derive(Clone)]
pub(crate) struct Aws {
    state: Arc<State>,
    /// The root of its certificate, which is self-signed.
    pub(crate) root_pem: String,
}

#[derive(Default)]
struct State {
    answers: Mutex<Answers>,
    calls: AtomicUsize,
    connections: AtomicUsize,
}

impl Aws {
    /// Listens on AWS's port, 443.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (certificate, key) = make_certificate(folder.path())?;
        let root_pem = std::fs::read_to_string(&certificate)?;
        let certificate = CertificateDer::from_pem_file(&certificate)?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        let listener = TcpListener::bind("127.0.0.1:443").context("port 443 is not available")?;
        let aws = Self {
            state: Arc::default(),
            root_pem,
        };
        let (state, config) = (Arc::clone(&aws.state), Arc::new(config));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, config) = (Arc::clone(&state), Arc::clone(&config));
                // A function that was ended leaves its connections open, which is no error.
                std::thread::spawn(move || serve(stream, config, &state).ok());
            }
        });
        Ok(aws)
    }

    /// Sets the answers from now on.
    pub(crate) fn answer(&self, answers: &Answers) {
        let current = self.state.answers.lock();
        current
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(answers);
    }

    /// The numbers of calls and connections since the last call.
    pub(crate) fn take_counts(&self) -> (usize, usize) {
        let take = |counter: &AtomicUsize| counter.swap(0, Ordering::SeqCst);
        (take(&self.state.calls), take(&self.state.connections))
    }
}

/// Makes a self-signed certificate for the names of AWS, and its key.
fn make_certificate(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (settings, certificate, key) = (
        folder.join("settings"),
        folder.join("certificate"),
        folder.join("key"),
    );
    let names = HOSTS.map(|host| format!("DNS:{host}")).join(",");
    let text = format!(
        "[req]\nprompt=no\ndistinguished_name=name\nx509_extensions=extensions\n[name]\nCN=measured\n\
         [extensions]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName={names}\n"
    );
    std::fs::write(&settings, text)?;
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-days", "1"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-config"])
        .arg(settings)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .context("openssl is not installed")?;
    let errors = String::from_utf8_lossy(&made.stderr);
    ensure!(
        made.status.success(),
        "openssl made no certificate: {errors}"
    );
    Ok((certificate, key))
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, state: &State) -> Result<()> {
    stream.set_nodelay(true)?;
    state.connections.fetch_add(1, Ordering::SeqCst);
    let tls = StreamOwned::new(ServerConnection::new(config)?, stream);
    let mut tls = BufReader::new(tls);
    while let Some(request) = Message::read(&mut tls)? {
        let (status, body) = state.answer(&request);
        let kind = [("content-type", "application/x-amz-json-1.0")];
        http::write(tls.get_mut(), &format!("HTTP/1.1 {status}"), &kind, &body)?;
    }
    Ok(())
}

impl State {
    fn answer(&self, request: &Message) -> (&'static str, Vec<u8>) {
        let (method, path) = request.route();
        if (method, path) == ("GET", "/ping") {
            // The request that opens a connection during init does not count as a call.
            return ("200 OK", Vec::new());
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let operation = match request.header("x-amz-target") {
            Some(target) => target.rsplit('.').next(),
            None => path.rsplit('/').next(),
        };
        let operation = operation.unwrap_or_default();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get(operation) {
            Some(answer) => ("200 OK", answer.clone().into_bytes()),
            None => ("501 Not Implemented", operation.as_bytes().to_vec()),
        }
    }
}
