//! What the tests of the service API, the pages and the console do again and again.

use std::ops::Deref;

use gatepost::service::api_key;
use gatepost::service::scope::Scopes;
use gatepost::testing::{Answer, TestApp};
use gatepost_storage::{Store, audit, new_id};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// Runs each `async fn name(world: World)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both_worlds {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::with(&[]).await).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::World::postgres().await).await })+
        }
    };
}
pub(crate) use on_both_worlds as on_both;

/// A password that may be chosen.
pub(crate) const PASSWORD: &str = "seven owls in an attic";

/// A program under test.
pub(crate) struct World(TestApp);

impl Deref for World {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.0
    }
}

/// An account that was registered and activated.
pub(crate) struct Account {
    pub(crate) id: String,
}

impl World {
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self(TestApp::with(settings).await)
    }

    pub(crate) async fn postgres() -> Self {
        Self(TestApp::postgres().await)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.app.store
    }

    /// Makes a key of these scopes.
    pub(crate) async fn key(&self, scopes: &[&str]) -> String {
        let scopes = Scopes::parse(scopes).unwrap();
        let made = self.store().run_tx("key", move |tx| {
            let scopes = scopes.clone();
            Box::pin(async move {
                let name = format!("test {}", new_id(tx.now()));
                api_key::create(tx, &name, &scopes).await
            })
        });
        made.await
            .unwrap()
            .expect("a new name")
            .key
            .expose_secret()
            .to_owned()
    }

    /// One call, with a bearer credential if there is one.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.request(method, path);
        if let Some(bearer) = bearer {
            request = request.bearer(bearer);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match body {
            Some(body) => request.json(body.clone()).send().await,
            None => request.send().await,
        }
    }

    pub(crate) async fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.call("GET", path, bearer, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, bearer: Option<&str>, body: &Value) -> Answer {
        self.call("POST", path, bearer, Some(body), &[]).await
    }

    pub(crate) async fn account(&self, email: &str) -> Account {
        Account {
            id: self.user(email, PASSWORD).await,
        }
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.0
            .post("/api/auth/login", json!({ "email": email, "password": password }))
            .await
    }

    /// The address in the newest letter of this kind.
    pub(crate) async fn link(&self, to: &str, template: &str) -> String {
        let page = match template {
            "activate_account" => "activate",
            "confirm_email" => "confirm-email",
            "invitation" => "invitation",
            _ => "reset-password",
        };
        format!("/{page}?token={}", self.token(to, template).await)
    }

    pub(crate) async fn audit(&self, subject: &str) -> Vec<audit::AuditRow> {
        let subject = subject.to_owned();
        let rows = self.store().read("audit", move |tx| {
            let subject = subject.clone();
            Box::pin(async move { audit::of_subject(tx, &subject, 100).await })
        });
        rows.await.unwrap()
    }
}
