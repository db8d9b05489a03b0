//! How a store is opened.

use crate::{Clock, Pooler, UserTable};

/// Options of [`Store::open`](crate::Store::open).
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Schema of all our tables and of our migration history; on SQLite the prefix of their names.
    /// Lower-case letters, digits and `_`, at most 40. Default `gatepost`.
    pub schema: String,
    /// Connections to PostgreSQL at most, 10 by default. On SQLite: readers; the writer is one in any case.
    pub max_connections: u32,
    /// How long a session lasts behind the URL of a PostgreSQL.
    pub pooler: Pooler,
    /// A URL for `LISTEN` that goes past a pooler such as `PgBouncer`, if `url` goes through one.
    pub listen_url: Option<String>,
    /// What tells the time.
    pub clock: Clock,
    /// Whose table of users is used.
    pub users: UserTable,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            schema: "gatepost".into(),
            max_connections: 10,
            pooler: Pooler::Auto,
            listen_url: None,
            clock: Clock::system(),
            users: UserTable::Own,
        }
    }
}
