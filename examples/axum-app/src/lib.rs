//! Somebody's own program: an axum app on its own sqlx pool, with its own `users` table, that registers,
//! mails and activates with the Gatepost crates alone. No Gatepost runs beside it.
//!
//! What to look at: in [`register`] the user and the letter are one transaction of the app's own pool; in
//! [`activate`] the token's use and what it permits are. Each kill, race and rollback is answered by that.
//!
//! ```text
//! cargo run -p axum-app
//! curl -i localhost:3000/register -H 'content-type: application/json' \
//!     -d '{"email": "anna@example.com", "name": "Anna", "locale": "uk"}'
//! cat app-data/mail/*.eml          # the letter, with its link
//! curl -i localhost:3000/activate -H 'content-type: application/json' -d '{"token": "..."}'
//! ```

pub mod activate;
pub mod error;
pub mod letter;
pub mod register;

use std::path::Path;
use std::str::FromStr;

use axum::Router;
use axum::routing::post;
use gatepost_mail::seal::Sealer;
use gatepost_mail::transport::{SmtpOptions, Transport, TransportSetup};
use gatepost_mail::{Mailer, MailerSettings, Site, Templates};
use gatepost_messaging::Broker;
use gatepost_storage::{Set, Store};
use gatepost_tokens::{Keys, TokenService, Tokens};
use secrecy::{ExposeSecret, SecretString};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tokio_util::sync::CancellationToken;

use crate::letter::ConfirmSignup;

/// Everything a handler needs.
#[derive(Clone)]
pub struct App {
    /// The app's own pool.
    pub pool: SqlitePool,
    /// One-time links.
    pub tokens: TokenService,
    /// The way to a sent letter.
    pub mailer: Mailer,
    store: Store,
    /// What links start with.
    pub site: String,
}

/// Whatever keeps the app from starting.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

impl App {
    /// Opens the database, with the app's own table and the crates' beside it.
    pub async fn open(database: &Path, secret: &SecretString, site: &str) -> Result<Self, StartError> {
        let options = SqliteConnectOptions::from_str(&format!("sqlite://{}", database.display()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true);
        let pool = SqlitePool::connect_with(options).await?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS users (
                id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
                active INTEGER NOT NULL DEFAULT 0
            ) STRICT",
        )
        .execute(&pool)
        .await?;

        // The crates' tables lie beside it, with a prefix and a migration history of their own.
        let store = Store::sqlite(pool.clone());
        store.migrate(&[Set::Tokens, Set::Messaging, Set::Mail]).await?;

        let tokens = Tokens::new(Keys::from_secret(secret.expose_secret())?).issuer(site);
        let tokens = TokenService::new(tokens, &store);
        // A missing file or variable of a template is found here, not by a reader.
        let templates = Templates::folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"))?
            .with_site(Site::new("Corner Shop").url(site))
            .check::<ConfirmSignup>()?;
        let sealer = Sealer::new(secret, &[])?;
        let settings = MailerSettings::new("Corner Shop <shop@example.com>".parse()?);
        let mailer = Mailer::new(&store, templates, sealer, settings);
        Ok(Self {
            pool,
            tokens,
            mailer,
            store,
            site: site.to_owned(),
        })
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/register", post(register::register))
            .route("/activate", post(activate::activate))
            .with_state(self.clone())
    }

    /// Sends letters until it is told to stop: `file:DIR`, `smtp://...`, or `capture`.
    pub async fn send_letters(&self, transport: &str, stop: CancellationToken) -> Result<(), StartError> {
        let setup = TransportSetup {
            store: &self.store,
            sealer: self.mailer.sealer(),
            smtp: &SmtpOptions::default(),
        };
        let transport = Transport::parse(transport, &setup)?;
        self.mailer
            .worker(Broker::embedded(&self.store), transport)
            .run_until(stop)
            .await?;
        Ok(())
    }
}
