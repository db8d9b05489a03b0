//! The real stack in one process: a server on a port of its own, a clock that stands still, letters that are
//! captured, and workers that run when told to.
//!
//! ```no_run
//! # async fn example() {
//! use gatepost::testing::TestApp;
//! use serde_json::json;
//!
//! let app = TestApp::sqlite().await;
//! let answer = app.post("/api/users", json!({"email": "a@b.test", "password": "wet stones under moss"})).await;
//! assert_eq!(answer.status, 202);
//! app.run_pending().await;
//! assert_eq!(app.letters("a@b.test").await[0].template, "activate_account");
//! # }
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod client;

use std::sync::Arc;
use std::time::Duration;

use gatepost_mail::{CapturedMail, InboxFilter};
use gatepost_messaging::Queues;
use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Timestamp, new_id};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::client::{Answer, Request};
use crate::accounts::hasher::Cost;
use crate::accounts::work;
use crate::app::{App, Wiring};
use crate::config::{Config, Origin};
use crate::roles::Roles;
use crate::serve::Listeners;
use crate::{sweep, workers};

/// When every test begins: 2026-03-01T12:00:00Z.
pub const START: Timestamp = Timestamp::from_secs(1_772_366_400);

/// A hash that costs next to nothing, in the form of the real one.
const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    lanes: 1,
};

/// A running server and everything around it.
#[derive(Debug)]
pub struct TestApp {
    /// The program itself.
    pub app: App,
    /// Its clock. Nothing moves it but the test.
    pub clock: ManualClock,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
    settings: Vec<(String, String)>,
    folder: Arc<tempfile::TempDir>,
    stop: CancellationToken,
    may_leave_work: bool,
}

impl TestApp {
    /// On SQLite, in a folder of its own.
    pub async fn sqlite() -> Self {
        Self::with::<&str>(&[]).await
    }

    /// On PostgreSQL, in a schema of its own.
    pub async fn postgres() -> Self {
        Self::with(&Self::postgres_settings()).await
    }

    /// What puts a test on PostgreSQL.
    pub fn postgres_settings() -> [(&'static str, String); 3] {
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").expect(
            "GATEPOST_TEST_POSTGRES_URL names no PostgreSQL: run ./scripts/test, which starts one, or set it",
        );
        let id = new_id(gatepost_storage::Clock::system().now())
            .simple()
            .to_string();
        [
            ("GATEPOST__STORAGE__URL", url),
            ("GATEPOST__STORAGE__SCHEMA", format!("t{}", &id[..30])),
            ("GATEPOST__STORAGE__MIGRATE", "auto".to_owned()),
        ]
    }

    /// With these environment variables on top of the defaults.
    pub async fn with<V: AsRef<str>>(settings: &[(&str, V)]) -> Self {
        let mut all = vec![("GATEPOST__LIMITS__ENABLED".to_owned(), "false".to_owned())];
        all.extend(
            settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.as_ref().to_owned())),
        );
        let folder = Arc::new(tempfile::tempdir().expect("a folder for the test"));
        Self::start(all, folder, ManualClock::at(START)).await
    }

    /// A second instance on the same database, with the same secret and a clock of its own.
    pub async fn second_instance(&self) -> Self {
        self.second_instance_with(&[]).await
    }

    /// The same with these environment variables besides.
    pub async fn second_instance_with(&self, settings: &[(&str, &str)]) -> Self {
        let more = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut other = Self::start(
            self.settings.iter().cloned().chain(more).collect(),
            Arc::clone(&self.folder),
            ManualClock::at(self.clock.now()),
        )
        .await;
        other.may_leave_work = true;
        other
    }

    async fn start(
        settings: Vec<(String, String)>,
        folder: Arc<tempfile::TempDir>,
        clock: ManualClock,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port's address");
        let mut variables = settings.clone();
        variables.push((
            "GATEPOST__DATA_DIR".to_owned(),
            folder.path().display().to_string(),
        ));
        variables.push(("GATEPOST__SHUTDOWN__DRAIN".to_owned(), "0s".to_owned()));
        let mut config = Config::load(&Origin::of(variables)).expect("the test's configuration");
        config.bound_to(address);
        let wiring = Wiring {
            clock: clock.clock(),
            hash_cost: CHEAP,
            scatter: Duration::ZERO,
        };
        let app = App::build_with(config, wiring).await.expect("the program");
        let stop = CancellationToken::new();
        let (serving, end) = (app.clone(), stop.clone());
        let listeners = Listeners {
            public: listener,
            admin: None,
        };
        let roles = Roles {
            api: true,
            worker: false,
            dispatcher: false,
        };
        tokio::spawn(async move { serving.serve(listeners, roles, end).await.expect("serving") });
        Self {
            app,
            clock,
            url: format!("http://{address}"),
            settings,
            folder,
            stop,
            may_leave_work: false,
        }
    }

    /// A request to this server.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, &format!("{}{path}", self.url))
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path).json(body).send().await
    }

    /// Let the workers do whatever can be done now.
    pub async fn run_pending(&self) {
        work::consumer(&self.app)
            .run_pending()
            .await
            .expect("the account worker");
        let transport = workers::transport(&self.app).expect("the transport");
        let worker = workers::mail_worker(&self.app, transport);
        self.app.lifecycle.watch(worker.health());
        worker.run_pending().await.expect("the mail worker");
    }

    /// Let webhooks and the exchange be told of whatever they can be told of now, without jitter.
    pub async fn tell_events(&self) {
        for line in crate::events::relays(&self.app).expect("certificates") {
            let line = line.with_random(gatepost_messaging::testing::no_jitter());
            line.run_pending().await.expect("the relay");
        }
    }

    /// Delete whatever has expired, and make the keys that are due.
    pub async fn sweep(&self) {
        let now = self.app.now();
        assert!(
            self.sweep_unless_done_since(now).await,
            "somebody else is sweeping"
        );
        self.tend_keys().await;
    }

    /// Make the keys that are due, as every instance does once a minute.
    pub async fn tend_keys(&self) {
        crate::keys::tend(&self.app).await.expect("the keys");
    }

    /// Delete whatever has expired, as every instance does once a minute: unless another is at it, or has come to an
    /// end after `done_since`. Whether it was done here.
    pub async fn sweep_unless_done_since(&self, done_since: Timestamp) -> bool {
        let holder = new_id(self.app.now());
        match sweep::sweep_unless(&self.app, holder, done_since, &self.stop).await {
            Ok(done) => done,
            Err(problem) => panic!("sweeping: {problem:?}"),
        }
    }

    /// Tell the server to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The letters captured for an address, oldest first.
    pub async fn letters(&self, to: &str) -> Vec<CapturedMail> {
        let filter = InboxFilter {
            to: Some(to.parse().expect("an address")),
            after: None,
            limit: 500,
        };
        self.app.mailer.inbox(&filter).await.expect("the inbox")
    }

    /// The token in the link of the newest letter of this kind to an address.
    pub async fn token(&self, to: &str, template: &str) -> String {
        let letters = self.letters(to).await;
        let letter = letters
            .iter()
            .rev()
            .find(|letter| letter.template == template)
            .unwrap_or_else(|| panic!("no {template} for {to} among {} letters", letters.len()));
        token_in(&letter.text)
    }

    /// Register, read the letter, press the button. The user's id.
    pub async fn user(&self, email: &str, password: &str) -> String {
        let body = serde_json::json!({"email": email, "password": password});
        let answer = self.post("/api/users", body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        self.run_pending().await;
        let token = self.token(email, "activate_account").await;
        let answer = self
            .post("/api/users/activate", serde_json::json!({"token": token}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.run_pending().await;
        answer.text("id")
    }

    /// Log in: the answer's access and refresh tokens.
    pub async fn log_in(&self, email: &str, password: &str) -> (String, String) {
        let answer = self
            .post(
                "/api/auth/login",
                serde_json::json!({"email": email, "password": password}),
            )
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.text("access"), answer.text("refresh"))
    }

    /// An API key that may do everything.
    pub async fn api_key(&self) -> String {
        self.api_key_with(&["*"]).await
    }

    /// An API key with these scopes.
    pub async fn api_key_with(&self, scopes: &[&str]) -> String {
        use secrecy::ExposeSecret;
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        let scopes = crate::service::scope::Scopes::parse(&scopes).expect("scopes");
        let name = new_id(self.app.now()).to_string();
        let made = self.app.store.run_tx("test_key", move |tx| {
            let (name, scopes) = (name.clone(), scopes.clone());
            Box::pin(async move { crate::service::api_key::create(tx, &name, &scopes).await })
        });
        let key = made.await.expect("the database").expect("a new name");
        key.key.expose_secret().to_owned()
    }

    /// This test ends with work left in a queue, on purpose.
    pub fn leave_work(&mut self) {
        self.may_leave_work = true;
    }
}

/// Whoever drops the app has let its workers finish, unless it said otherwise.
impl Drop for TestApp {
    fn drop(&mut self) {
        let check = !self.may_leave_work && !std::thread::panicking();
        if check && let Ok(handle) = tokio::runtime::Handle::try_current() {
            let queues = Queues::new(&self.app.store);
            let left = tokio::task::block_in_place(|| handle.block_on(queues.list())).expect("the queues");
            for queue in left {
                let waiting = queue.ready + queue.delayed + queue.in_hand;
                assert!(waiting == 0, "{waiting} messages were left in {}", queue.queue);
            }
        }
        self.stop.cancel();
    }
}

/// The token in the first link of a letter's text.
pub fn token_in(text: &str) -> String {
    let start = text.find("?token=").expect("a link with a token") + "?token=".len();
    text[start..]
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}
