//! A fresh database of each kind for every test, and the macro that runs a test on both.

use gatepost_storage::{Clock, Store, StoreOptions};

/// Runs each `async fn name(db: Database)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::databases::Database::sqlite()).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::databases::Database::postgres()).await })+
        }
    };
}
pub(crate) use on_both;

/// Where a test's tables are: a file of its own, or a schema of its own.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) schema: String,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("gatepost.db").display());
        Self {
            url,
            schema: "gatepost".into(),
            _folder: Some(folder),
        }
    }

    pub(crate) fn postgres() -> Self {
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").expect(
            "GATEPOST_TEST_POSTGRES_URL names no PostgreSQL: run ./scripts/test, which starts one, or set it",
        );
        let id = gatepost_storage::new_id(Clock::system().now())
            .simple()
            .to_string();
        Self {
            url,
            schema: format!("t{}", &id[..30]),
            _folder: None,
        }
    }

    pub(crate) async fn store(&self) -> Store {
        self.store_with(Clock::system()).await
    }

    pub(crate) async fn store_with(&self, clock: Clock) -> Store {
        let options = StoreOptions {
            schema: self.schema.clone(),
            clock,
            ..StoreOptions::default()
        };
        let store = Store::open(&self.url, options).await.unwrap();
        store.migrate(&gatepost_storage::Set::ALL).await.unwrap();
        store
    }
}
