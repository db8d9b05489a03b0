//! A fresh database of each kind for every test.
#![expect(
    clippy::expect_used,
    reason = "a test that has no database fails and says why"
)]

use tempfile::TempDir;

use crate::{Clock, Set, Store, StoreOptions};

/// Where a test's tables are: a file of its own, or a schema of its own.
#[derive(Debug)]
pub struct Database {
    /// What [`Store::open`] takes.
    pub url: String,
    /// The schema; on SQLite the prefix.
    pub schema: String,
    folder: Option<TempDir>,
}

impl Database {
    /// A file in a folder that goes with this value.
    ///
    /// # Panics
    /// If there is no folder for temporary files.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let url = format!("sqlite://{}", folder.path().join("gatepost.db").display());
        Self {
            url,
            schema: "gatepost".into(),
            folder: Some(folder),
        }
    }

    /// A schema of its own in the database that `GATEPOST_TEST_POSTGRES_URL` names.
    ///
    /// # Panics
    /// If the variable is not set: a test that can't run has failed.
    pub fn postgres() -> Self {
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").expect(
            "GATEPOST_TEST_POSTGRES_URL names no PostgreSQL: run ./scripts/test, which starts one, or set it",
        );
        let id = crate::new_id(Clock::system().now()).simple().to_string();
        Self {
            url,
            schema: format!("t{}", &id[..30]),
            folder: None,
        }
    }

    /// A store on it with the tables of `sets`; each call is another instance's.
    ///
    /// # Panics
    /// If it can't be opened or migrated.
    pub async fn open(&self, sets: &[Set], clock: Clock) -> Store {
        let options = StoreOptions {
            schema: self.schema.clone(),
            max_connections: 8,
            clock,
            ..StoreOptions::default()
        };
        let store = Store::open(&self.url, options).await.expect("a database");
        store.migrate(sets).await.expect("its tables");
        store
    }

    /// Every byte of the database's files, where there are files.
    ///
    /// # Panics
    /// If they can't be read.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let folder = self.folder.as_ref()?;
        let files = std::fs::read_dir(folder.path()).expect("the folder");
        let read = |file: std::io::Result<std::fs::DirEntry>| std::fs::read(file.expect("a file").path());
        Some(files.flat_map(|file| read(file).expect("its bytes")).collect())
    }
}

/// Runs each `async fn name(place: Place)` as a test on SQLite and as one on PostgreSQL, where
/// `Place::sqlite()` and `Place::postgres()` make what it takes.
#[macro_export]
macro_rules! test_on_both {
    ($place:ty: $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(<$place>::sqlite()).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(<$place>::postgres()).await })+
        }
    };
}
