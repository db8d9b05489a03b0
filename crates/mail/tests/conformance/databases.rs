//! A fresh database of each kind for every test, and the macro that runs a test on both.

use gatepost_storage::{Clock, Set, Store, StoreOptions};

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
    schema: String,
    folder: Option<tempfile::TempDir>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("mail.db").display());
        Self {
            url,
            schema: "gatepost".into(),
            folder: Some(folder),
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
            schema: format!("m{}", &id[..30]),
            folder: None,
        }
    }

    /// Another process's store on the same tables.
    pub(crate) async fn store(&self, clock: Clock) -> Store {
        let options = StoreOptions {
            schema: self.schema.clone(),
            clock,
            ..StoreOptions::default()
        };
        let store = Store::open(&self.url, options).await.unwrap();
        store.migrate(&[Set::Messaging, Set::Mail]).await.unwrap();
        store
    }

    /// Every byte of the database's files, where there are files.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let folder = self.folder.as_ref()?;
        let files = std::fs::read_dir(folder.path()).unwrap();
        Some(
            files
                .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
                .collect(),
        )
    }
}
