//! The Django project of `bench/python/django` on a database of its own, and a Gatepost on the same.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_bench::outside::{Client, Python, Setup};
use serde_json::{Value, json};
use std::net::TcpListener;

use crate::support::{postgres_url, sqlite};

pub(crate) const SECRET: &str = "django-insecure-test-secret-key-0123456789abcdefghijklmnopqrstuv";
const NAME: &str = "ann@example.com";
const PASSWORD: &str = "wet stones under moss";

/// What a user is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// Django's own table, by numbers.
    Int,
    /// The project's own, by UUIDs.
    Uuid,
}

pub(crate) struct Django {
    url: String,
    users: Users,
    settings: Value,
    user: String,
    port: u16,
    _serving: Python,
}

impl Django {
    /// A database with one user in it, and Django serving on it.
    #[track_caller]
    pub(crate) fn start(users: Users, settings: Value) -> Self {
        let base = postgres_url();
        let name = format!("django_{:016x}", getrandom::u64().unwrap());
        let url = format!("{}/{name}", base.rsplit_once('/').unwrap().0);
        let mut given = settings.clone();
        given["SECRET_KEY"] = SECRET.into();
        let (given, kind) = (given.to_string(), kind(users));
        let made = Python::run(
            "django/project.py",
            &[&url, kind, &given, "create", NAME, PASSWORD],
        );
        let user = made.iter().find_map(|line| line.strip_prefix("user ")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let serving = Python::start(
            "django/project.py",
            &[&url, kind, &given, "serve", &port.to_string()],
        );
        serving.wait_for("ready");
        Self {
            user: user.to_owned(),
            url,
            users,
            settings,
            port,
            _serving: serving,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// A Gatepost in the project's dialect, with the project's users.
    pub(crate) fn setup(&self) -> Setup {
        let mut setup = sqlite()
            .unlimited()
            .postgres(&self.url)
            .set("storage.schema", "\"gatepost\"")
            .set("tokens.dialect", "\"simplejwt\"")
            .set("simplejwt.signing_key", format!("{SECRET:?}"))
            .set("accounts.source", "\"django\"")
            .set("accounts.registration", "\"closed\"");
        if self.users == Users::Uuid {
            setup = setup
                .set("accounts.django.table", "\"people_person\"")
                .set("accounts.django.id_type", "\"uuid\"")
                .set("accounts.django.username", "\"email\"");
        }
        for (name, value) in self.settings.as_object().unwrap() {
            setup = setup.set(&format!("simplejwt.{}", name.to_lowercase()), value.to_string());
        }
        setup
    }

    /// The user's id.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Name and password.
    pub(crate) fn login() -> (String, String) {
        (NAME.to_owned(), PASSWORD.to_owned())
    }

    /// What `USERNAME_FIELD` is.
    pub(crate) fn username_field(&self) -> &'static str {
        match self.users {
            Users::Int => "username",
            Users::Uuid => "email",
        }
    }

    pub(crate) fn login_body(&self) -> Value {
        json!({self.username_field(): NAME, "password": PASSWORD})
    }

    /// Tokens made by Django for the user.
    pub(crate) fn mint(&self, kind: &str, count: usize) -> Vec<String> {
        let answer = self
            .client()
            .get(&format!("/mint/{kind}/{count}/?user={}", self.user))
            .expect(200);
        let tokens = answer.json()["tokens"].as_array().unwrap().clone();
        tokens
            .iter()
            .map(|token| token.as_str().unwrap().to_owned())
            .collect()
    }

    /// As an administrator does.
    pub(crate) fn switch(&self, on: bool) {
        let on = u8::from(on);
        self.client()
            .get(&format!("/switch/{on}/?user={}", self.user))
            .expect(200);
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let given = json!({"SECRET_KEY": SECRET}).to_string();
            Python::run(
                "django/project.py",
                &[&self.url, kind(self.users), &given, "drop"],
            );
        }
    }
}

fn kind(users: Users) -> &'static str {
    match users {
        Users::Int => "int",
        Users::Uuid => "uuid",
    }
}

pub(crate) fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}
