//! An account that has come some way.

use serde_json::json;

use super::{Answer, Client, Letter};

/// A password that every policy takes.
pub const PASSWORD: &str = "heron wades at 6 by the old sluice";

/// An address and its password.
#[derive(Debug, Clone)]
pub struct Account {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
}

/// An access and a refresh token.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl Pair {
    /// Reads it from the answer to a login or a refresh.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        Self {
            access: answer.field("access"),
            refresh: answer.field("refresh"),
        }
    }
}

/// An address that nobody has registered.
pub fn unknown_address() -> String {
    format!(
        "outside-{:016x}@example.com",
        getrandom::u64().expect("random bytes")
    )
}

impl Account {
    /// Registers a new address; its letter is still on its way.
    #[track_caller]
    pub fn register(client: &Client) -> Self {
        let account = Self {
            email: unknown_address(),
            password: PASSWORD.to_owned(),
        };
        account.ask(client);
        account
    }

    /// Asks to register this address with this password.
    #[track_caller]
    pub fn ask(&self, client: &Client) {
        client
            .post(
                "/api/users",
                &json!({ "email": self.email, "password": self.password }),
            )
            .expect(202);
    }

    /// Registers a new address and activates it; `reader` has `mail:read`.
    #[track_caller]
    pub fn active(client: &Client, reader: &Client) -> Self {
        let account = Self::register(client);
        let letter = account.letter(reader, "activate_account");
        client
            .post("/api/users/activate", &json!({ "token": letter.token() }))
            .expect(200);
        account
    }

    /// Waits for the first letter of this template.
    #[track_caller]
    pub fn letter(&self, reader: &Client, template: &str) -> Letter {
        Letter::wait(reader, &self.email, template, 1).swap_remove(0)
    }

    /// Asks to log in.
    pub fn try_login(&self, client: &Client) -> Answer {
        client.post(
            "/api/auth/login",
            &json!({ "email": self.email, "password": self.password }),
        )
    }

    /// Logs in.
    #[track_caller]
    pub fn login(&self, client: &Client) -> Pair {
        Pair::of(&self.try_login(client).expect(200))
    }
}
