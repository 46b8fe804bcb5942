//! A stub of a bus that refuses some entries, which the local AWS never does.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Answers `PutEvents` and refuses the entries of chosen positions, counted over all calls.
pub(crate) struct StubBus {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    refused: Vec<usize>,
    seen: usize,
    calls: Vec<usize>,
}

impl StubBus {
    pub(crate) fn start(refused: &[usize]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            refused: refused.to_vec(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(&stream.unwrap(), &shared);
            }
        });
        Self { url, state }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Refuses nothing from now on.
    pub(crate) fn recover(&self) {
        self.state.lock().unwrap().refused.clear();
    }

    pub(crate) fn entries_per_call(&self) -> Vec<usize> {
        self.state.lock().unwrap().calls.clone()
    }
}

/// Serves one request, and closes the connection.
fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let answer = answer(request["Entries"].as_array().unwrap().len(), state).to_string();
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close\r\n";
    write!(
        &mut &*stream,
        "{head}content-length: {}\r\n\r\n{answer}",
        answer.len()
    )
    .unwrap();
}

fn answer(entries: usize, state: &Mutex<State>) -> Value {
    let mut state = state.lock().unwrap();
    let first = state.seen;
    state.seen += entries;
    state.calls.push(entries);
    let result = |position: usize| {
        if state.refused.contains(&position) {
            json!({ "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" })
        } else {
            json!({ "EventId": position.to_string() })
        }
    };
    let results: Vec<Value> = (first..first + entries).map(result).collect();
    let failed = results
        .iter()
        .filter(|result| result["ErrorCode"].is_string())
        .count();
    json!({ "FailedEntryCount": failed, "Entries": results })
}
