//! The Django project of `bench/python/django` on a database of its own, and a Gatepost on the same.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_bench::outside::{Client, Python, Setup};
use gatepost_tokens::simplejwt::{Audience, Settings};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

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
    /// The project's own, by numbers, which tokens call by a UUID: `code`, for `USER_ID_FIELD`.
    Code,
}

/// A project whose tables are made.
pub(crate) struct Project {
    url: String,
    users: Users,
    settings: Value,
}

impl Project {
    /// On a database that is made with it, or in a file of SQLite's.
    #[track_caller]
    pub(crate) fn prepare(url: String, users: Users, settings: Value) -> Self {
        let project = Self { url, users, settings };
        project.run(&["create"]);
        project
    }

    /// Serves, with one user in it, who has this UUID.
    #[track_caller]
    pub(crate) fn serve(self, id: &str) -> Django {
        self.run(&["add", id, NAME, PASSWORD]);
        self.start(id.to_owned())
    }

    #[track_caller]
    fn run(&self, command: &[&str]) -> Vec<String> {
        let given = self.given();
        let project = [&self.url, kind(self.users), &given];
        Python::run("django/project.py", &[&project, command].concat())
    }

    fn given(&self) -> String {
        let mut given = self.settings.clone();
        given["SECRET_KEY"] = SECRET.into();
        given.to_string()
    }

    #[track_caller]
    fn start(self, user: String) -> Django {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let (given, at) = (self.given(), port.to_string());
        let serving = Python::start(
            "django/project.py",
            &[&self.url, kind(self.users), &given, "serve", &at],
        );
        serving.wait_for("ready");
        Django {
            user,
            project: self,
            port,
            _serving: serving,
        }
    }
}

pub(crate) struct Django {
    project: Project,
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
        let project = Project { url, users, settings };
        let made = project.run(&["create", NAME, PASSWORD]);
        let user = made.iter().find_map(|line| line.strip_prefix("user ")).unwrap();
        project.start(user.to_owned())
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// A Gatepost in the project's dialect, with the project's users.
    pub(crate) fn setup(&self) -> Setup {
        let mut setup = sqlite()
            .unlimited()
            .postgres(&self.project.url)
            .set("storage.schema", "\"gatepost\"")
            .set("tokens.dialect", "\"simplejwt\"")
            .set("simplejwt.signing_key", format!("{SECRET:?}"))
            .set("accounts.source", "\"django\"")
            .set("accounts.registration", "\"closed\"");
        let own = match self.project.users {
            Users::Int => None,
            Users::Uuid => Some(("people_person", "id")),
            Users::Code => Some(("people_member", "code")),
        };
        if let Some((table, id)) = own {
            setup = setup
                .set("accounts.django.table", format!("{table:?}"))
                .set("accounts.django.id", format!("{id:?}"))
                .set("accounts.django.id_type", "\"uuid\"")
                .set("accounts.django.username", "\"email\"");
        }
        for (name, value) in self.project.settings.as_object().unwrap() {
            let mut toml = value.to_string();
            if value.is_null() {
                "\"\"".clone_into(&mut toml);
            }
            if name.ends_with("_LIFETIME") || name == "LEEWAY" {
                toml = format!("\"{toml}s\"");
            }
            setup = setup.set(&format!("simplejwt.{}", name.to_lowercase()), toml);
        }
        setup
    }

    /// The project's settings, as the library has them.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(SECRET);
        for (name, value) in self.project.settings.as_object().unwrap() {
            let text = || value.as_str().unwrap().to_owned();
            match name.as_str() {
                "ALGORITHM" => settings.algorithm = text().parse().unwrap(),
                "SIGNING_KEY" => settings.signing_key = text().into(),
                "VERIFYING_KEY" => settings.verifying_key = text(),
                "AUDIENCE" => {
                    let names = value.as_array().unwrap().iter();
                    let names = names.map(|name| name.as_str().unwrap().to_owned());
                    settings.audience = Some(Audience::Several(names.collect()));
                }
                "ISSUER" => settings.issuer = Some(text()),
                "USER_ID_CLAIM" => settings.user_id_claim = text(),
                "TOKEN_TYPE_CLAIM" => settings.token_type_claim = Some(text()),
                "JTI_CLAIM" => settings.jti_claim = Some(text()),
                "REFRESH_TOKEN_LIFETIME" => {
                    settings.refresh_token_lifetime = Duration::from_secs(value.as_u64().unwrap());
                }
                // What the routes do; and where a token is tied to a password, what the test makes is tied to none.
                _ => {}
            }
        }
        settings
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
        match self.project.users {
            Users::Int => "username",
            Users::Uuid | Users::Code => "email",
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

    /// One more user, who has no address where Django asks for none.
    pub(crate) fn add(&self, id: &str, name: &str) {
        self.project.run(&["add", id, name, PASSWORD]);
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
            self.project.run(&["drop"]);
        }
    }
}

fn kind(users: Users) -> &'static str {
    match users {
        Users::Int => "int",
        Users::Uuid => "uuid",
        Users::Code => "code",
    }
}

pub(crate) fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}
