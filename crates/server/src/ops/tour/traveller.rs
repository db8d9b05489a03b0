//! Who walks: an address, its passwords, and what it holds so far.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Answer, Client};
use super::inbox::Inbox;
use super::report::Unmet;

/// Within which every instance knows what is revoked.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

/// One account on its way.
#[derive(Debug)]
pub(super) struct Traveller {
    pub(super) client: Client,
    pub(super) inbox: Inbox,
    pub(super) email: String,
    pub(super) password: String,
    /// Path and query of the link last read from a letter.
    pub(super) link: String,
    /// Where the activation's button went, and with what.
    pub(super) pressed: (String, Vec<(String, String)>),
    /// The session in use.
    pub(super) session: Pair,
    /// Pairs that the session had before, oldest first.
    pub(super) spent: Vec<Pair>,
    /// A session opened beside the one in use.
    pub(super) second: Pair,
}

/// An access and a refresh token.
#[derive(Debug, Clone, Default)]
pub(super) struct Pair {
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Pair {
    /// Reads it from the answer to a login or a refresh.
    pub(super) fn of(answer: &Answer) -> Result<Self, Unmet> {
        Ok(Self {
            access: answer.need("/access")?,
            refresh: answer.need("/refresh")?,
        })
    }
}

impl Traveller {
    /// Somebody whom no instance has met.
    pub(super) fn new(base: &str, key: &str) -> Result<Self, Unmet> {
        let email = format!("tour-{}@example.com", random()?);
        Ok(Self {
            client: Client::new(base),
            inbox: Inbox::new(key, &email),
            password: fresh_password()?,
            email,
            link: String::new(),
            pressed: <_>::default(),
            session: Pair::default(),
            spent: Vec::new(),
            second: Pair::default(),
        })
    }

    /// Asks to log in.
    pub(super) fn try_login(&self) -> Result<Answer, Unmet> {
        self.client.post(
            "/api/auth/login",
            None,
            &json!({ "email": self.email, "password": self.password }),
        )
    }

    /// Logs in.
    pub(super) fn login(&self) -> Result<Pair, Unmet> {
        Pair::of(&self.try_login()?.expect(200)?)
    }

    /// Asks for a successor.
    pub(super) fn try_refresh(&self, refresh: &str) -> Result<Answer, Unmet> {
        self.client
            .post("/api/auth/refresh", None, &json!({ "refresh": refresh }))
    }

    /// Both tokens of a pair are refused, the access token within the second that is promised.
    pub(super) fn refused(&self, pair: &Pair) -> Result<String, Unmet> {
        let began = Instant::now();
        loop {
            let me = self.client.get("/api/users/me", Some(&pair.access))?;
            if me.status == 401 {
                break;
            }
            if began.elapsed() > REVOKED_WITHIN {
                return Err(me.unlike("401 for a revoked access token within 1 s"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let verified = self
            .client
            .post("/api/auth/verify", None, &json!({ "token": pair.access }))?
            .expect(200)?;
        if verified.json() != json!({ "active": false }) {
            return Err(verified.unlike("{\"active\": false} for a revoked access token"));
        }
        self.try_refresh(&pair.refresh)?
            .refused(401, &["token_revoked", "token_used"])
    }
}

/// A password that no policy minds: long, and of no dictionary.
pub(super) fn fresh_password() -> Result<String, Unmet> {
    Ok(format!("moss {} quay", random()?))
}

/// 16 hexadecimal characters.
pub(super) fn random() -> Result<String, Unmet> {
    getrandom::u64()
        .map(|n| format!("{n:016x}"))
        .map_err(|e| Unmet::new("random bytes from the system", e.to_string()))
}
