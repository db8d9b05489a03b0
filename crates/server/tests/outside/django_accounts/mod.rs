//! Beside a real Django: its users log in here with the passwords that Django stored, in its own table or imported.

mod beside;
mod links;
mod many;
mod moved;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use gatepost_bench::outside::{Client, Instance, Setup};
use serde_json::{Value, json};

use crate::support::postgres;

/// A Django project with tables in a schema of its own, gone when this is dropped.
struct Project {
    url: String,
    schema: String,
    python: Mutex<(Child, BufReader<ChildStdout>)>,
}

impl Project {
    #[track_caller]
    fn new() -> Self {
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL")
            .expect("GATEPOST_TEST_POSTGRES_URL names a PostgreSQL");
        let name = gatepost_bench::outside::unknown_address();
        let schema: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(56)
            .collect();
        let schema = format!("dj_{schema}").to_lowercase();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../bench/python/django_accounts.py"
        );
        let python = std::env::var("GATEPOST_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(python)
            .args([script, &url, &schema])
            .env("DJANGO_SECRET", SECRET_KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("GATEPOST_TEST_PYTHON names the Python that has Django; ./scripts/test makes one");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let project = Self {
            url,
            schema,
            python: Mutex::new((child, answers)),
        };
        project.ask(&["make"]);
        project
    }

    #[track_caller]
    fn ask(&self, args: &[&str]) -> Value {
        let mut python = self.python.lock().unwrap();
        let (child, answers) = &mut *python;
        writeln!(child.stdin.as_mut().expect("a pipe"), "{}", json!(args)).expect("Django listens");
        let mut line = String::new();
        answers.read_line(&mut line).expect("Django answers");
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("Django said {line:?} to {args:?}; is all of it installed?"))
    }

    #[track_caller]
    fn add(&self, accounts: &Value) -> Vec<i64> {
        serde_json::from_value(self.ask(&["add", &accounts.to_string()])).unwrap()
    }

    fn table(&self) -> String {
        format!("{}.auth_user", self.schema)
    }

    /// A token that Django makes for somebody.
    #[track_caller]
    fn jwt(&self, kind: &str, email: &str) -> String {
        self.ask(&["jwt", kind, email]).as_str().unwrap().to_owned()
    }

    /// Takes what this project's Django signed, and reads and writes its blacklist.
    fn taking_its_tokens(&self, setup: Setup) -> Setup {
        setup
            .set("tokens.accept", "[\"simplejwt\"]")
            .set("simplejwt.signing_key", format!("{SECRET_KEY:?}"))
            .set("simplejwt.schema", format!("{:?}", self.schema))
    }

    /// Gatepost on this project's own table.
    fn beside(&self) -> Setup {
        postgres()
            .unlimited()
            .set("accounts.source", "\"django\"")
            .set("accounts.registration", "\"closed\"")
            .set("accounts.django.table", format!("{:?}", self.table()))
            .set("accounts.django.profile", "[\"first_name\"]")
            .set("accounts.django.pbkdf2_iterations", "100000")
            .set("accounts.django.secret_key", format!("{SECRET_KEY:?}"))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.ask(&["drop"]);
        }
        if let Ok((child, _)) = self.python.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const SECRET_KEY: &str = "django-insecure-test-secret-key-0123456789abcdefghijklmnopqrstuv";
const KINDS: [&str; 6] = [
    "pbkdf2_sha256",
    "pbkdf2_sha1",
    "argon2",
    "bcrypt_sha256",
    "bcrypt",
    "scrypt",
];
const OWLS: &str = "seven owls in an attic";
const STONES: &str = "wet stones under moss";

fn of(kind: &str) -> String {
    format!("{kind}@example.com")
}

fn everybody() -> Value {
    let mut all: Vec<Value> = KINDS
        .iter()
        .map(|kind| json!({"email": of(kind), "password": OWLS, "kind": kind, "first_name": "Анна", "login": true}))
        .collect();
    all.push(json!({"email": "md5@example.com", "password": OWLS, "kind": "md5"}));
    all.push(json!({"email": "off@example.com", "password": OWLS, "active": false}));
    all.push(json!({"email": "unset@example.com", "stored": "!aXzt"}));
    all.push(json!({"email": "", "username": "nobody", "password": OWLS}));
    Value::Array(all)
}

#[track_caller]
fn login(client: &Client, email: &str, password: &str) -> gatepost_bench::outside::Answer {
    client.post("/api/auth/login", &json!({"email": email, "password": password}))
}

#[track_caller]
fn import(gate: &Instance, django: &Project, more: &[&str]) -> Value {
    let table = django.table();
    let args = [
        &[
            "--json",
            "user",
            "import",
            "--from-django",
            &django.url,
            "--table",
            &table,
            "--profile",
            "first_name",
        ],
        more,
    ]
    .concat();
    let done = gate.cli(&args);
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"))
}
