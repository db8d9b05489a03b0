//! A receiver of webhooks over real TCP, which does as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// 32 bytes.
pub(super) const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
pub(super) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// What comes back for one request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    /// This status.
    Status(u16),
    /// 503, and when to come again, in seconds.
    Busy(u64),
    /// This status and another place.
    Redirect,
    /// Nothing, ever.
    Hang,
    /// Hangs up without a word.
    Drop,
    /// What is no HTTP.
    Garbage,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn kind(&self) -> String {
        self.event()["type"].as_str().unwrap().to_owned()
    }

    /// As a receiver checks it.
    pub(super) fn is_signed(&self) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        mac.update(
            format!(
                "{}.{}.",
                self.header("webhook-id"),
                self.header("webhook-timestamp")
            )
            .as_bytes(),
        );
        mac.update(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature") == wanted
    }
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Does>,
    /// Once the script is played.
    then: Option<Does>,
    got: Vec<Got>,
}

#[derive(Clone, Debug)]
pub(super) struct Receiver {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Plays the script, then answers 204.
    pub(super) async fn start(script: &[Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            script: script.iter().copied().collect(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// From now on always this.
    pub(super) fn always(&self, does: Does) {
        self.state.lock().unwrap().then = Some(does);
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        self.got().iter().map(Got::kind).collect()
    }

    /// Waits until so many requests have come.
    pub(super) async fn until(&self, requests: usize) {
        let came = async {
            while self.got().len() < requests {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), came)
            .await
            .unwrap_or_else(|_| panic!("{} requests of {requests}", self.got().len()));
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    while let Some(got) = read(&mut stream).await {
        let does = {
            let mut state = state.lock().unwrap();
            state.got.push(got);
            let next = state.script.pop_front();
            next.or(state.then).unwrap_or(Does::Status(204))
        };
        let answer = match does {
            Does::Status(status) => format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n"),
            Does::Busy(seconds) => {
                format!("HTTP/1.1 503 Busy\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n")
            }
            Does::Redirect => {
                "HTTP/1.1 307 There\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Does::Hang => return std::future::pending().await,
            Does::Drop => return,
            Does::Garbage => "SMTP? No.\r\n\r\n".to_owned(),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let mut more = [0; 4096];
        let n = stream.read(&mut more).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&more[..n]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let headers: Vec<(String, String)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = bytes[head + 4..].to_vec();
    while body.len() < length {
        let mut more = [0; 4096];
        let n = stream.read(&mut more).await.ok().filter(|n| *n > 0)?;
        body.extend_from_slice(&more[..n]);
    }
    Some(Got { headers, body })
}
