//! Other programs verify our access tokens by `/.well-known/jwks.json`: `PyJWT`, npm's jose, and
//! djangorestframework-simplejwt with `JWK_URL`, each the real package.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Client, Instance};
use serde_json::{Value, json};

use crate::support::{reader, sqlite};

/// A program of `tests/outside/interop` that says of each token what it thinks of it.
struct Verifier {
    child: Child,
    tokens: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Verifier {
    #[track_caller]
    fn start(mut command: Command, script: &str, gatepost: &Instance, algorithm: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/outside/interop")
            .join(script);
        let mut child = command
            .arg(script)
            .arg(format!("{}/.well-known/jwks.json", gatepost.base()))
            .args([algorithm, "gatepost"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts: ./scripts/test installs it");
        let (tokens, verdicts) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child,
            tokens,
            verdicts: BufReader::new(verdicts),
        }
    }

    #[track_caller]
    fn says(&mut self, token: &str) -> String {
        writeln!(self.tokens, "{token}").expect("it runs: ./scripts/test installs what it imports");
        let mut line = String::new();
        self.verdicts.read_line(&mut line).unwrap();
        assert!(
            !line.is_empty(),
            "it ended: ./scripts/test installs what it imports"
        );
        line.trim().to_owned()
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python() -> Command {
    let interpreter =
        std::env::var_os("GATEPOST_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    Command::new(interpreter)
}

fn node() -> Command {
    let mut command = Command::new("node");
    let modules = std::env::var_os("GATEPOST_TEST_NODE_MODULES")
        .expect("GATEPOST_TEST_NODE_MODULES names a node_modules with jose in it; ./scripts/test makes one");
    command.env("NODE_PATH", modules);
    command
}

/// A key for RSA that is not searched for: without optimisation that takes its time.
#[track_caller]
fn take_rsa_key(gatepost: &Instance, algorithm: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/interop/rsa.pem");
    let file = file.to_str().unwrap();
    cli(
        gatepost,
        &[
            "key",
            "generate",
            "--algorithm",
            algorithm,
            "--from",
            file,
            "--now",
        ],
    );
}

#[track_caller]
fn cli(gatepost: &Instance, args: &[&str]) -> Value {
    let output = gatepost.cli(&[&["--json"], args].concat());
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn kid(token: &str) -> String {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    let header: Value = serde_json::from_slice(&json).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// With one character of the signature changed.
fn altered(token: &str) -> String {
    let at = token.rfind('.').unwrap() + 5;
    let other = if token[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[track_caller]
fn verifies(script: &str, command: fn() -> Command, algorithm: &str) {
    let mut gatepost = sqlite()
        .unlimited()
        .set("tokens.algorithm", format!("{algorithm:?}"))
        .prepare();
    if algorithm.starts_with(['R', 'P']) {
        take_rsa_key(&gatepost, algorithm);
    }
    gatepost.restart();
    let client = gatepost.client();
    let account = Account::active(&client, &reader(&gatepost));
    let login = account.login(&client);
    let mut verifier = Verifier::start(command(), script, &gatepost, algorithm);
    let first = verifier.says(&login.access);
    assert!(first.starts_with("good "), "{script} {algorithm}: {first}");
    let shown = client
        .with_bearer(&login.access)
        .get("/api/users/me")
        .expect(200)
        .json();
    assert_eq!(first, format!("good {}", shown["id"].as_str().unwrap()));
    for wrong in [altered(&login.access), login.refresh.clone()] {
        let verdict = verifier.says(&wrong);
        assert!(verdict.starts_with("bad "), "{script} {algorithm}: {verdict}");
    }

    // The next key, at once: the program that runs on finds it, and what was signed before stays good.
    let old = kid(&login.access);
    if algorithm.starts_with(['R', 'P']) {
        return;
    }
    cli(&gatepost, &["key", "rotate", "--now"]);
    let newer = signed_by_another_key(&client, login.refresh, &old);
    assert_eq!(verifier.says(&newer), first);
    assert_eq!(verifier.says(&login.access), first);
    // Retired: whoever asks for the keys afterwards refuses it.
    cli(&gatepost, &["key", "retire", &old, "--yes"]);
    let mut verifier = Verifier::start(command(), script, &gatepost, algorithm);
    assert!(verifier.says(&login.access).starts_with("bad "), "{script}");
    assert_eq!(verifier.says(&newer), first);
}

/// The command line made the key: the running program learns of it within a second.
#[track_caller]
fn signed_by_another_key(client: &Client, mut refresh: String, old: &str) -> String {
    let began = Instant::now();
    loop {
        let given = client
            .post("/api/auth/refresh", &json!({ "refresh": refresh }))
            .expect(200)
            .json();
        let access = given["access"].as_str().unwrap();
        if kid(access) != old {
            return access.to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(2), "the old key signs on");
        given["refresh"].as_str().unwrap().clone_into(&mut refresh);
    }
}

#[test]
fn pyjwt_verifies_our_tokens() {
    for algorithm in [
        "ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    ] {
        verifies("pyjwt.py", python, algorithm);
    }
}

#[test]
fn jose_verifies_our_tokens() {
    for algorithm in ["ES256", "ES384", "EdDSA", "RS512", "PS256"] {
        verifies("jose.js", node, algorithm);
    }
}

#[test]
fn simplejwt_verifies_our_tokens_by_jwk_url() {
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        verifies("simplejwt.py", python, algorithm);
    }
}
