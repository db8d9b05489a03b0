//! What every command has: where its configuration is, and how it answers.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use gatepost_storage::{MigrationState, Set, Store, StoreOptions};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::failure::Failure;
use crate::app::App;
use crate::config::{self, Config, Migrate, Origin};

const OLDER: &str = "the database is older than this program; run `gatepost migrate`";

/// Common options, and what follows from them.
pub(super) struct Context {
    pub(super) config_file: Option<PathBuf>,
    pub(super) json: bool,
}

impl Context {
    /// The configuration, checked.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&Origin::process(self.config_file.clone()))?)
    }

    /// The database, for commands that need nothing else. It is as new as this program, or it is said what to do.
    pub(super) async fn store(&self) -> Result<(Config, Store), Failure> {
        let config = self.config()?;
        let store = open_store(&config).await?;
        if config.storage.migrate == Migrate::Auto || store.is_empty().await? {
            store.migrate(&Set::ALL).await?;
        } else if store
            .migration_status(&Set::ALL)
            .await?
            .iter()
            .any(|m| m.state == MigrationState::Pending)
        {
            return Err(Failure::no(OLDER));
        }
        Ok((config, store))
    }

    /// The whole program, built and not serving.
    pub(super) async fn app(&self) -> Result<App, Failure> {
        let app = App::build(self.config()?).await?;
        if app.lifecycle.is_migrated() {
            Ok(app)
        } else {
            Err(Failure::no(OLDER))
        }
    }

    /// A line beside the answer, on standard error, for a person: not with `--json`.
    pub(super) fn aside(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// How far long work is, on a terminal; each word replaces the one before.
    pub(super) fn progress(&self, text: &str) {
        if !self.json && io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r\u{1b}[K{text}\r");
        }
    }

    /// Prints the answer: as one JSON object if that was asked for, else as text.
    pub(super) fn answer(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let line = if self.json {
            serde_json::to_string(value)
                .map_err(|error| Failure::unknown(format!("no JSON of the answer: {error}")))?
        } else {
            text()
        };
        print(&line)
    }
}

/// Opens the database as it is.
pub(super) async fn open_store(config: &Config) -> Result<Store, Failure> {
    config::make_data_dir(config)?;
    let options = StoreOptions {
        schema: config.storage.schema.clone(),
        max_connections: config.storage.max_connections.min(4),
        pooler: config.storage.pooler,
        listen_url: config
            .storage
            .listen_url
            .as_ref()
            .map(|url| url.expose_secret().to_owned()),
        users: config.accounts.user_table(config.mail.locale),
        ..StoreOptions::default()
    };
    Ok(Store::open(config.storage.url().expose_secret(), options).await?)
}

/// Prints lines to standard output. That nobody reads on (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::unknown(format!(
            "standard output can't be written: {error}"
        ))),
        _ => Ok(()),
    }
}
