//! Stores with every table of ours.

pub(crate) use gatepost_storage::testing::Database;
use gatepost_storage::{Clock, Set, Store};

/// Runs each `async fn name(db: Database)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        gatepost_storage::test_on_both!(gatepost_storage::testing::Database: $($name),+);
    };
}
pub(crate) use on_both;

pub(crate) trait Stores {
    async fn store(&self) -> Store;
    async fn store_with(&self, clock: Clock) -> Store;
}

impl Stores for Database {
    async fn store(&self) -> Store {
        self.store_with(Clock::system()).await
    }

    async fn store_with(&self, clock: Clock) -> Store {
        self.open(&Set::ALL, clock).await
    }
}
