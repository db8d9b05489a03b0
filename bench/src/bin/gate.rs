//! Checking with revocation, using one-time tokens up, and refreshing: beside bare `jsonwebtoken`, and beside
//! djangorestframework-simplejwt on the same PostgreSQL, in turns.
//!
//! `cargo build --release && cargo run --release -p gatepost-bench --bin gate`; `GATEPOST_TEST_PYTHON` names a Python
//! with `django djangorestframework-simplejwt==5.5.1 psycopg[binary] gunicorn`. With `check`, `one-time` or `refresh`, only
//! that, and nothing is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::hint::black_box;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use gatepost_bench::outside::{Account, Postgres, Setup};
use gatepost_bench::{executable, load, results::Results};
use gatepost_storage::{Set, Store, StoreOptions};
use gatepost_tokens::{Activate, Keys, NewSession, Refused, TokenService, Tokens};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const USER: &str = "0198c0de-7a11-7000-8000-0123456789ab";
const CALLERS: usize = 64;
/// Each is made anew for each round; about two seconds' worth.
const OUR_LINKS: usize = 6_000;
const THEIR_LINKS: usize = 600;
const ROUNDS: usize = 3;
const CHECK_ROUNDS: usize = 21;
const CHECK_ROUND: Duration = Duration::from_millis(300);
const REFRESH_ROUND: Duration = Duration::from_secs(4);
const REFRESHING: usize = 16;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let only = std::env::args().nth(1);
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut results = Results::of("gate");
    if wanted("check") {
        check(&mut results);
    }
    let postgres = Postgres::start();
    let peer = Peer::set_up(&postgres);
    if wanted("one-time") {
        use_up(&mut results, &postgres, &peer);
    }
    if wanted("refresh") {
        refresh(&mut results, &postgres, &peer);
    }
    if only.is_none() {
        results.keep();
    }
}

/// An access token against what is revoked; the bare library knows nothing of that.
fn check(results: &mut Results) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/gate.db", folder.path().display());
    let (store, service) = block(service(&url));
    let access = block(start_session(&store, &service));
    let running = service.clone();
    let reading = tokio::spawn(async move {
        running.revocations().run_until(std::future::pending()).await;
    });
    let (bare, key, validation) = bare_token();
    let ours = || {
        let began = Instant::now();
        let done = block(async {
            let mut done = 0_u32;
            while began.elapsed() < CHECK_ROUND {
                for _ in 0..256 {
                    let _ = black_box(service.check_access(black_box(&access)).await.unwrap());
                }
                done += 256;
            }
            done
        });
        f64::from(done) / began.elapsed().as_secs_f64()
    };
    let theirs = || {
        let (began, mut done) = (Instant::now(), 0_u32);
        while began.elapsed() < CHECK_ROUND {
            for _ in 0..256 {
                let _ = black_box(decode::<Claims>(black_box(&bare), &key, &validation).unwrap());
            }
            done += 256;
        }
        f64::from(done) / began.elapsed().as_secs_f64()
    };
    let (ours, theirs) = in_turn(CHECK_ROUNDS, ours, theirs);
    reading.abort();
    results.add("check with revocation: gatepost-tokens", ours, "1/s");
    results.add("check without: bare jsonwebtoken", theirs, "1/s");
    results.ratio("check with revocation: ratio", ours / theirs, 0.85);
}

/// One-time tokens, each by one of 64 callers, each durably used up.
fn use_up(results: &mut Results, postgres: &Postgres, peer: &Peer) {
    let (store, service) = block(service(&postgres.url()));
    // As in every program that has a service: the news of keys and revocations are read in the background.
    let running = service.clone();
    let reading = tokio::spawn(async move {
        running.revocations().run_until(std::future::pending()).await;
    });
    let round = |how| {
        let links = block(async {
            let mut links = Vec::new();
            for _ in 0..OUR_LINKS {
                links.push(service.create::<Activate>(USER).await.unwrap().raw);
            }
            Arc::new(links)
        });
        block(use_links(&store, &service, links, how))
    };
    let mut in_transaction = Vec::new();
    let ours = || {
        in_transaction.push(round(How::InTransaction));
        round(How::Alone)
    };
    let theirs = || {
        let links = peer.run(&["links", &THEIR_LINKS.to_string()], "");
        let rate = peer.run(&["use", &CALLERS.to_string()], &links);
        rate.trim().parse().expect("a rate")
    };
    let (ours, theirs) = in_turn(ROUNDS, ours, theirs);
    results.add("one-time verify, 64 callers: gatepost-tokens", ours, "1/s");
    results.add("one-time verify, 64 callers: simplejwt", theirs, "1/s");
    results.ratio("one-time verify: ratio", ours / theirs, 20.0);
    in_transaction.sort_by(f64::total_cmp);
    let ours = in_transaction[in_transaction.len() / 2];
    results.add("one-time verify, in the caller's transaction", ours, "1/s");
    results.add(
        "one-time verify, in the caller's transaction: ratio",
        ours / theirs,
        "ratio",
    );
    reading.abort();
}

/// Whether the use is all there is to write, as for simplejwt, or part of the caller's transaction.
#[derive(Clone, Copy)]
enum How {
    Alone,
    InTransaction,
}

async fn in_transaction(store: &Store, service: &TokenService, link: &str) -> Result<(), Refused> {
    let (service, link) = (service.clone(), link.to_owned());
    store
        .run_tx("use", move |tx| {
            let (service, link) = (service.clone(), link.clone());
            Box::pin(async move { service.verify_in::<Activate>(tx, &link).await.map(|_| ()) })
        })
        .await
}

async fn use_links(store: &Store, service: &TokenService, links: Arc<Vec<String>>, how: How) -> f64 {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (store, service) = (store.clone(), service.clone());
            let (links, next) = (Arc::clone(&links), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(link) = links.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let used = match how {
                        How::Alone => service.verify_alone::<Activate>(link).await.map(|_| ()),
                        How::InTransaction => in_transaction(&store, &service, link).await,
                    };
                    used.expect("each is used once");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    count(links.len()) / began.elapsed().as_secs_f64()
}

/// A refresh token for the next, over HTTP: each of 16 sessions asks again as soon as it is answered.
fn refresh(results: &mut Results, postgres: &Postgres, peer: &Peer) {
    let gatepost = Setup::new(executable())
        .postgres(&postgres.url())
        .unlimited()
        .start();
    let client = gatepost.client();
    let reader = client.with_bearer(&gatepost.key(&["mail:read"]));
    let account = Account::active(&client, &reader);
    let mut own: Vec<String> = (0..REFRESHING).map(|_| account.login(&client).refresh).collect();
    let port = free_port();
    let gunicorn = peer.serve(port);
    let sessions = peer.run(&["sessions", &REFRESHING.to_string()], "");
    let mut peers: Vec<String> = sessions.lines().map(str::to_owned).collect();
    let ours = || block(refresh_all(gatepost.port(), "/api/auth/refresh", &mut own));
    let theirs = || block(refresh_all(port, "/api/token/refresh/", &mut peers));
    let (ours, theirs) = in_turn(ROUNDS, ours, theirs);
    drop(gunicorn);
    results.add("refresh: POST /api/auth/refresh", ours, "1/s");
    results.add("refresh: simplejwt under gunicorn, 2 workers", theirs, "1/s");
    results.ratio("refresh: ratio", ours / theirs, 10.0);
}

async fn refresh_all(port: u16, path: &'static str, sessions: &mut [String]) -> f64 {
    let began = Instant::now();
    let chains: Vec<_> = sessions
        .iter()
        .map(|session| {
            let mut session = session.clone();
            tokio::spawn(async move {
                let mut done = 0_usize;
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = Vec::with_capacity(4096);
                while began.elapsed() < REFRESH_ROUND {
                    let body = json!({ "refresh": session }).to_string();
                    let request = load::request("POST", path, None, &body);
                    tokio::io::AsyncWriteExt::write_all(&mut stream, &request)
                        .await
                        .unwrap();
                    let (status, body) = load::answer(&mut stream, &mut buffer).await.unwrap();
                    let answer: Value = serde_json::from_slice(&buffer[body..]).unwrap_or_default();
                    assert_eq!(status, 200, "{answer}");
                    answer["refresh"]
                        .as_str()
                        .expect("a token")
                        .clone_into(&mut session);
                    done += 1;
                }
                (session, done)
            })
        })
        .collect();
    let mut done = 0;
    for (place, chain) in sessions.iter_mut().zip(chains) {
        let (session, rounds) = chain.await.unwrap();
        *place = session;
        done += rounds;
    }
    count(done) / began.elapsed().as_secs_f64()
}

/// Django with simplejwt, from `bench/python`.
struct Peer {
    postgres: String,
}

impl Peer {
    fn set_up(postgres: &Postgres) -> Self {
        let address = postgres.address();
        let (_, port) = address.rsplit_once(':').expect("a port");
        let peer = Self {
            postgres: port.to_owned(),
        };
        peer.run(&["setup"], "");
        peer
    }

    fn command(&self) -> Command {
        let python = std::env::var_os("GATEPOST_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
        let mut command = Command::new(python);
        command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("python"))
            .env("PEER_PORT", &self.postgres)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn run(&self, args: &[&str], input: &str) -> String {
        let mut child = self
            .command()
            .arg("simplejwt_peer.py")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        let done = child.wait_with_output().expect("it ends");
        assert!(done.status.success(), "simplejwt_peer.py {args:?} failed");
        String::from_utf8(done.stdout).expect("text")
    }

    fn serve(&self, port: u16) -> Ended {
        let child = self
            .command()
            .args(["-m", "gunicorn", "simplejwt_peer:application"])
            .args(["--workers", "2", "--worker-class", "gthread", "--threads", "8"])
            .args(["--bind", &format!("127.0.0.1:{port}"), "--log-level", "warning"])
            .spawn()
            .expect("gunicorn starts");
        let child = Ended(child);
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "gunicorn does not answer"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(1));
        child
    }
}

/// Ended, with its workers, when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        gatepost_bench::outside::signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

async fn service(url: &str) -> (Store, TokenService) {
    let options = StoreOptions {
        schema: "gate_bench".to_owned(),
        ..StoreOptions::default()
    };
    let store = Store::open(url, options).await.unwrap();
    store.migrate(&[Set::Tokens]).await.unwrap();
    let tokens = Tokens::new(Keys::from_secret(SECRET).unwrap());
    let service = TokenService::new(tokens, &store);
    (store, service)
}

async fn start_session(store: &Store, service: &TokenService) -> String {
    let tokens = service.clone();
    let started = store.run_tx("start", move |tx| {
        let tokens = tokens.clone();
        Box::pin(async move { tokens.start_session_in(tx, USER, NewSession::default()).await })
    });
    started.await.unwrap().access
}

/// The claims of an access token of ours.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
    rot: i64,
    r#gen: i64,
    token_type: String,
    user_id: String,
}

#[expect(clippy::disallowed_methods, reason = "the bare side has no clock of its own")]
fn bare_token() -> (String, DecodingKey, Validation) {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let iat = i64::try_from(since.as_secs()).unwrap();
    let claims = Claims {
        iss: "gatepost".to_owned(),
        sub: USER.to_owned(),
        aud: "gatepost".to_owned(),
        exp: iat + 3600,
        iat,
        jti: "0198c0de1e57700080000123456789ab".to_owned(),
        sid: "0198c0de-5e55-7000-8000-0123456789ab".to_owned(),
        rot: 7,
        r#gen: 3,
        token_type: "access".to_owned(),
        user_id: USER.to_owned(),
    };
    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("0123456789ab".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let token = encode(&header, &claims, &EncodingKey::from_secret(SECRET)).unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["gatepost"]);
    validation.set_audience(&["gatepost"]);
    (token, DecodingKey::from_secret(SECRET), validation)
}

/// Rounds in turn, so that a busy neighbour disturbs both; the median of each.
fn in_turn(rounds: usize, mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) -> (f64, f64) {
    let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_rates.push(ours());
        their_rates.push(theirs());
    }
    (median(our_rates), median(their_rates))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn block<T>(work: impl Future<Output = T>) -> T {
    Handle::current().block_on(work)
}

#[expect(clippy::cast_precision_loss, reason = "thousands, not 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}
