//! Beside the Python services: real pika publishes what we deliver, and a real Python consumer delivers what we
//! publish. Their queue is used as it stands, whoever declared it.

use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Instance, Python, Received, Setup, Sink, unknown_address};
use serde_json::{Value, json};

use crate::letters::all_arrive;
use crate::support::{amqp_url, postgres, reader};

const PATIENCE: Duration = Duration::from_mins(1);

/// A queue of a test's own on the shared broker, deleted with its relatives.
pub(crate) struct Queue {
    pub(crate) url: String,
    pub(crate) name: String,
}

impl Queue {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self {
            url: amqp_url(),
            name: format!("outside.{}", unknown_address().replace("@example.com", "")),
        }
    }

    fn dead(&self) -> String {
        format!("{}.dead", self.name)
    }

    /// Publishes with pika; every letter is taken by the broker.
    #[track_caller]
    fn publish(&self, args: &[&str]) -> Vec<String> {
        let args = [&[self.url.as_str(), self.name.as_str()], args].concat();
        let lines = Python::run("publish.py", &args);
        let answered = lines.iter().filter_map(|line| line.strip_prefix("answered "));
        answered.map(str::to_owned).collect()
    }

    pub(crate) fn setup(&self, sink: &Sink) -> Setup {
        postgres()
            .unlimited()
            .smtp(sink.port())
            .rabbitmq(&self.url)
            .set("mail.queue", format!("{:?}", self.name))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let all: Vec<String> = ["", ".dead", ".suspect"]
            .map(|end| format!("{}{end}", self.name))
            .into();
        let args: Vec<&str> = std::iter::once(&self.url)
            .chain(&all)
            .map(String::as_str)
            .collect();
        // Python::run would panic while another panic is on its way.
        Python::start("delete.py", &args).wait(Duration::from_secs(10));
    }
}

#[test]
fn delivers_what_pika_publishes_onto_a_queue_of_ours() {
    let (queue, sink) = (Queue::new(), Sink::start());
    let _gatepost = queue.setup(&sink).start();
    // Nothing declared it but us; default properties, then persistent and confirmed, then redeclared.
    let mut to = queue.publish(&["--declare", "none", "--to", "bare@example.com", "--confirm"]);
    to.extend(queue.publish(&["--declare", "durable", "--count", "20"]));
    to.extend(queue.publish(&[
        "--confirm",
        "--persistent",
        "--count",
        "20",
        "--to",
        "sure-{n}@example.com",
    ]));
    assert_eq!(to.len(), 41);
    all_arrive(&sink, to.iter().map(String::as_str), PATIENCE);
    let letter = sink
        .received()
        .into_iter()
        .find(|r| r.to == ["bare@example.com"])
        .unwrap();
    assert!(letter.data.contains("Subject: =?utf-8?"), "{}", letter.data);
    assert!(!letter.message_id.is_empty());
}

#[test]
fn runs_on_a_queue_that_is_not_durable_and_says_what_it_would_like() {
    as_it_stands("plain", "durable");
}

#[test]
fn runs_on_a_queue_with_dead_letters_of_theirs_and_says_what_it_would_like() {
    as_it_stands("arguments", "x-dead-letter-exchange");
}

/// The queue was declared by pika before we came; it stays as it is, so that pika can declare it so again.
fn as_it_stands(declared: &str, named: &str) {
    let (queue, sink) = (Queue::new(), Sink::start());
    let before = queue.publish(&[
        "--declare",
        declared,
        "--count",
        "5",
        "--to",
        "before-{n}@example.com",
    ]);
    let gatepost = queue.setup(&sink).start();
    all_arrive(&sink, before.iter().map(String::as_str), PATIENCE);
    let after = queue.publish(&[
        "--declare",
        declared,
        "--count",
        "5",
        "--to",
        "after-{n}@example.com",
    ]);
    assert_eq!(after.len(), 5, "pika may declare its queue as ever");
    all_arrive(&sink, after.iter().map(String::as_str), PATIENCE);
    let said = words_of(&gatepost);
    let warned = said.lines().any(|line| {
        line.to_ascii_uppercase().contains("WARN") && line.contains(&queue.name) && line.contains(named)
    });
    assert!(warned, "it says what it would like instead: {said}");
}

#[test]
fn what_cannot_be_read_goes_to_the_dead_letters_whole() {
    let (queue, sink) = (Queue::new(), Sink::start());
    let _gatepost = queue.setup(&sink).start();
    let huge = json!({
        "to_email": "huge@example.com",
        "template_data": { "message": "x".repeat(10 * 1024 * 1024) },
    });
    let bodies: [Vec<u8>; 4] = [
        b"{\"to_email\": \"half@exam".to_vec(),
        b"\xff\xfe not UTF-8 \x80".to_vec(),
        b"[]".to_vec(),
        huge.to_string().into_bytes(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bodies");
    let encoded: String = bodies.iter().map(|body| base64(body) + "\n").collect();
    std::fs::write(&file, encoded).unwrap();
    queue.publish(&["--declare", "durable", "--bodies", file.to_str().unwrap()]);
    let good = queue.publish(&["--declare", "durable", "--to", "good@example.com"]);
    all_arrive(&sink, good.iter().map(String::as_str), PATIENCE);

    let dead: Vec<Value> = Python::run("get.py", &[&queue.url, &queue.dead(), "4"])
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut sizes: Vec<u64> = dead.iter().filter_map(|d| d["size"].as_u64()).collect();
    sizes.sort_unstable();
    let mut wanted: Vec<u64> = bodies.iter().map(|body| body.len() as u64).collect();
    wanted.sort_unstable();
    assert_eq!(sizes, wanted, "whole");
    for letter in &dead {
        let headers = letter["headers"].to_string();
        assert!(headers.contains("reason"), "with a reason: {headers}");
    }
    assert_eq!(sink.count(), 1);
}

#[test]
fn a_python_consumer_delivers_what_we_publish() {
    let (queue, sink) = (Queue::new(), Sink::start());
    // Our own transport is nowhere: with `wire = "python"` it is not asked.
    let gatepost = queue.setup(&sink).set("mail.wire", "\"python\"").start();
    let client = gatepost
        .client()
        .with_bearer(&gatepost.key(&["mail:send", "mail:read"]));
    let body = json!({
        "to_email": "ann@example.com",
        "template_data": { "title": "Привет", "message": "Это <b>письмо</b>." },
    });
    let id = client.post("/api/mail", &body).expect(202).field("id");
    let account = Account::register(&gatepost.client());
    let port = sink.port().to_string();
    let mut consumer = Python::start("consumer.py", &[&queue.url, &queue.name, &port, "--count", "2"]);
    all_arrive(&sink, ["ann@example.com", &account.email].into_iter(), PATIENCE);
    assert!(consumer.wait(Duration::from_secs(10)), "{:?}", consumer.lines());

    let received = sink.received();
    let to = |address: &str| received.iter().find(|r| r.to == [address]).unwrap().clone();
    let plain = to("ann@example.com");
    let html = parts(&plain);
    assert!(html.contains("&lt;b&gt;"), "rendered and escaped by us: {html}");
    // The link was made when the letter was handed over, and works.
    let activation = parts(&to(&account.email));
    let token = activation.split_once("token=").expect("a link").1;
    let token: String = token
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect();
    gatepost
        .client()
        .post("/api/users/activate", &json!({ "token": token }))
        .expect(200);
    let began = Instant::now();
    loop {
        let state = client.get(&format!("/api/mail/{id}")).expect(200).field("state");
        if state == "handed_over" {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{state}");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What a Python consumer could not deliver is refused, not sent halfway.
    let more = json!({ "to_email": "a@b.co", "cc": ["c@d.co"], "template_data": { "message": "m" } });
    client.post("/api/mail", &more).expect(422);
    drop(reader(&gatepost));
}

/// All that it said since it was started, on its terminal and into its log file.
fn words_of(instance: &Instance) -> String {
    let log = instance.folder().join("gatepost-data/logs/app.log");
    instance.said() + &std::fs::read_to_string(log).unwrap_or_default()
}

/// The parts of a letter, decoded: Python writes base64 where the text is not ASCII.
fn parts(letter: &Received) -> String {
    let script = "import email,sys\nm = email.message_from_bytes(sys.stdin.buffer.read())\n\
                  print('\\n'.join(p.get_payload(decode=True).decode() for p in m.walk() if not p.is_multipart()))";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), letter.data.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
