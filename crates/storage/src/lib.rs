//! What Gatepost remembers: one [`Store`] over SQLite or PostgreSQL.
//!
//! Everything above this crate speaks to a [`Store`] and never to a database. A store is made from a URL
//! or over a pool that the program already has; its tables live in a schema of their own (a prefix on
//! SQLite), with a migration history of their own, so that it can share a database with anything.
//!
//! * [`Store::run_tx`] is the one door: it begins, runs, commits, runs again what is safe to run again,
//!   and counts by name. On SQLite, waiting transactions share one commit.
//! * [`Store::join`] makes a [`Tx`] of the caller's own connection, so that what is written here commits
//!   and rolls back with what the caller writes.
//! * [`Tx::wake`] tells whoever [subscribes](Store::subscribe) to a topic, after the commit, in this
//!   process at once and in the others within milliseconds. It is a hint: the table is the truth.
//! * Each table has one module with its rows and the SQL for both databases.
//!
//! ```
//! use gatepost_storage::{Set, Store, StoreOptions, settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), gatepost_storage::Error> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let url = format!("sqlite://{}/gatepost.db", folder.path().display());
//! let store = Store::open(&url, StoreOptions::default()).await?;
//! store.migrate(&[Set::Server]).await?;
//! let won = store
//!     .run_tx("remember", |tx| Box::pin(async move { settings::put_if_absent(tx, "motto", "once").await }))
//!     .await?;
//! assert!(won);
//! # Ok(())
//! # }
//! ```

#[macro_use]
mod macros;

mod backend;
mod casts;
mod clock;
mod config;
mod connections;
pub mod django_tables;
mod error;
pub mod fault;
mod ids;
mod migrate;
mod notify;
mod pooler;
mod run;
mod sql;
mod stats;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod user_id;
mod user_table;
mod users_django;
mod users_own;
mod wake;
mod writer;

// One module a table.
pub mod admin_sessions;
pub mod admins;
pub mod api_keys;
pub mod audit;
pub mod blacklist;
pub mod blacklisted_tokens;
pub mod dead_letters;
pub mod dedupe_keys;
pub mod deliveries;
pub mod deliveries_begun;
pub mod deliveries_foreign;
pub mod deliveries_many;
pub mod delivery_decisions;
pub mod delivery_events;
pub mod django_export;
pub mod email_changes;
pub mod event_cursors;
pub mod events;
pub mod generations;
pub mod handled;
pub mod imported_users;
pub mod inbox;
pub mod keys;
pub mod known_devices;
pub mod mail_keys;
pub mod mail_pauses;
pub mod outbox;
pub mod outbox_claims;
pub mod outbox_handed;
pub mod outstanding_tokens;
pub mod registrations;
pub mod revocation_log;
pub mod sessions;
pub mod settings;
pub mod signing_keys;
pub mod suppressions;
pub mod sweeper;
pub mod users;
pub mod verify_answers;

pub use casts::{Cast, Casts};
pub use clock::{Clock, Timestamp};
pub use config::StoreOptions;
pub use error::{Error, MigrationError};
pub use ids::new_id;
pub use migrate::{Migration, MigrationState, Set};
pub use pooler::Pooler;
pub use sql::Dialect;
pub use stats::{Stats, TxStats};
pub use store::Store;
pub use tx::{Conn, Tx};
pub use user_id::{NotAUserId, UserId};
pub use user_table::{BadTable, DjangoTable, IdKind, UserColumns, UserTable};
pub use wake::Wakeups;

/// A column that holds JSON: `jsonb` on PostgreSQL, text on SQLite.
pub use sqlx::types::Json;

/// The future that a transaction's closure returns.
pub type TxFuture<'a, T, E> = futures_util::future::BoxFuture<'a, Result<T, E>>;
