//! API keys: made once, shown once, and presented as `Authorization: Bearer gp_...`.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_storage::{Error, Tx, api_keys};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use gatepost_storage::api_keys::{ApiKeyRow, list, revoke};

use super::scope::{Scope, Scopes};
use crate::app::App;
use crate::http::{Code, Problem};

/// What every key begins with, so that scanners of source code find one that was checked in.
pub(crate) const PREFIX: &str = "gp_";

/// `last_used_at` is exact to this: a busy key costs one write a minute.
const USE_IS_NOTED_EVERY: Duration = Duration::from_secs(60);

/// The longest name of a key, in characters.
pub const MAX_NAME: usize = 100;

/// A key that was just made: the only time that it can be read.
#[derive(Debug)]
pub struct NewKey {
    /// Its id.
    pub id: Uuid,
    /// The key itself.
    pub key: SecretString,
}

/// Makes a key; `None` if a living key has this name.
pub async fn create(tx: &mut Tx<'_>, name: &str, scopes: &Scopes) -> Result<Option<NewKey>, Error> {
    let key: SecretString =
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(crate::random::bytes::<24>())).into();
    let id = api_keys::insert(tx, name, &hash(key.expose_secret()), &scopes.to_string()).await?;
    Ok(id.map(|id| NewKey { id, key }))
}

/// A key has 192 random bits: nobody finds it by guessing, so that its hash needs no salt and no cost.
fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Whose key came with the request, and what it may do. Prefer [`Allowed`], which also asks for a scope. Cheap to clone:
/// every request takes it from those that are [known](super::known_keys).
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key's id.
    pub id: Uuid,
    /// What people call it.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
}

impl ApiKey {
    /// What the audit calls whoever holds it.
    pub fn actor(&self) -> String {
        format!("key:{}", self.name)
    }

    /// Whose key this is, if it lives; notes that it was used.
    pub(crate) async fn of(app: &App, presented: &str) -> Result<Option<Self>, Error> {
        let Some(known) = app.api_keys.find(&app.store, hash(presented)).await? else {
            return Ok(None);
        };
        let now = app.store.now();
        let noted_since = now - USE_IS_NOTED_EVERY;
        if known.is_to_be_noted(noted_since) {
            let id = known.key.id;
            app.store
                .run_tx("note_api_key_use", move |tx| {
                    Box::pin(async move { api_keys::touch(tx, id, noted_since).await })
                })
                .await?;
            known.note(now);
        }
        Ok(Some(known.key.clone()))
    }

    /// Refuses with `scope_missing` unless the key has the scope.
    pub fn need(&self, scope: &Scope) -> Result<(), Problem> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        Err(Problem::new(Code::ScopeMissing).detail(format!("This needs a key with the scope `{scope}`.")))
    }
}

impl FromRequestParts<App> for ApiKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let presented = bearer(parts)?;
        Self::of(app, presented)
            .await?
            .ok_or_else(|| Problem::new(Code::ApiKeyInvalid))
    }
}

fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let header = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| Problem::new(Code::CredentialsMissing))?;
    let key = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .and_then(|(scheme, key)| {
            let key = key.trim();
            (scheme.eq_ignore_ascii_case("bearer") && key.starts_with(PREFIX)).then_some(key)
        });
    key.ok_or_else(|| {
        Problem::new(Code::ApiKeyInvalid).detail("This takes an API key: `Authorization: Bearer gp_...`.")
    })
}

/// The scope that an endpoint asks for, as a type in its signature.
pub trait Needs: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident),* $(,)?) => {$(
        #[doc = concat!("Asks for [`Scope::", stringify!($name), "`].")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}
needs!(
    MailSend,
    MailRead,
    MailManage,
    TokensVerify,
    TokensRevoke,
    UsersRead,
    UsersWrite,
    QueuesRead,
    QueuesWrite,
    EventsRead
);

/// A request with a key that has the scope. It stands before the body among a handler's arguments, so that
/// who may not do this learns that first.
#[derive(Debug, Clone)]
pub struct Allowed<N> {
    /// Whose key.
    pub key: ApiKey,
    needs: PhantomData<fn() -> N>,
}

impl<N: Needs> FromRequestParts<App> for Allowed<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = ApiKey::from_request_parts(parts, app).await?;
        key.need(&N::SCOPE)?;
        Ok(Self {
            key,
            needs: PhantomData,
        })
    }
}
