//! Lambda's side of the runtime API: hands out events, and receives answers.
//!
//! Source: "Using the Lambda runtime API for custom runtimes", AWS Lambda developer guide.

use anyhow::{Context, Result, bail};
use coldstart::http::{self, Message};
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The runtime API of one process.
pub(crate) struct RuntimeApi {
    /// The address on which it listens.
    pub(crate) address: String,
    events: Sender<String>,
    answers: Receiver<Answer>,
}

/// The answer of a function.
pub(crate) struct Answer {
    /// The time at which the event was handed out.
    pub(crate) began: Instant,
    /// The time at which the answer arrived.
    pub(crate) ended: Instant,
    /// The body of the answer.
    pub(crate) body: String,
    failed: bool,
}

struct Shared {
    events: Mutex<Receiver<String>>,
    began: Mutex<Instant>,
    answers: Sender<Answer>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (events, pending) = channel();
        let (answered, answers) = channel();
        let shared = Arc::new(Shared {
            events: Mutex::new(pending),
            began: Mutex::new(Instant::now()),
            answers: answered,
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A process that was ended leaves its last request open, which is no error.
                std::thread::spawn(move || serve(&stream, &shared).ok());
            }
        });
        Ok(Self {
            address,
            events,
            answers,
        })
    }

    /// Queues the next event, which is handed out as soon as the function requests it.
    pub(crate) fn send(&self, event: String) -> Result<()> {
        self.events.send(event).context("the runtime API has ended")
    }

    /// Waits for the answer.
    pub(crate) fn receive(&self) -> Result<Answer> {
        let answer = self.answers.recv_timeout(ANSWER_MAX);
        let answer = answer.context("the function did not answer")?;
        if answer.failed {
            bail!("the function failed: {}", answer.body);
        }
        Ok(answer)
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some(request) = Message::read(&mut reader)? {
        let ended = Instant::now();
        let began = || shared.began.lock().unwrap_or_else(PoisonError::into_inner);
        let (method, path) = request.route();
        if method == "GET" {
            let events = shared.events.lock();
            let event = events.unwrap_or_else(PoisonError::into_inner).recv()?;
            *began() = Instant::now();
            let headers = [
                ("content-type", "application/json"),
                (
                    "lambda-runtime-aws-request-id",
                    "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                ),
                ("lambda-runtime-deadline-ms", "4102444800000"),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:eu-central-1:111122223333:function:f",
                ),
                (
                    "lambda-runtime-trace-id",
                    "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
                ),
            ];
            http::write(&mut writer, "HTTP/1.1 200 OK", &headers, event.as_bytes())?;
            continue;
        }
        let answer = Answer {
            began: *began(),
            ended,
            failed: path.ends_with("/error"),
            body: String::from_utf8_lossy(&request.body).into_owned(),
        };
        http::write(&mut writer, "HTTP/1.1 202 Accepted", &[], b"{}")?;
        shared.answers.send(answer).ok();
    }
    Ok(())
}
