//! A fresh database of each kind for every test, instances over it, and the macro that runs a test on both.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Clock, Set, Store, StoreOptions, Timestamp};
use gatepost_tokens::testing::keys;
use gatepost_tokens::{EndReason, Grant, NewSession, Rotation, ServiceError, TokenService, Tokens};

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
    _folder: Option<tempfile::TempDir>,
}

/// A service whose clock stands still.
pub(crate) struct Instance {
    pub(crate) service: TokenService,
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
}

/// 2027-01-15T08:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

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
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").expect(
            "GATEPOST_TEST_POSTGRES_URL names no PostgreSQL: run ./scripts/test, which starts one, or set it",
        );
        let moment = Clock::system().now().as_micros();
        let schema = format!(
            "tok_{moment}_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            url,
            schema,
            _folder: None,
        }
    }

    pub(crate) async fn store(&self, clock: Clock) -> Store {
        let options = StoreOptions {
            schema: self.schema.clone(),
            clock,
            max_connections: 8,
            ..StoreOptions::default()
        };
        let store = Store::open(&self.url, options).await.unwrap();
        store.migrate(&[Set::Tokens]).await.unwrap();
        store
    }

    /// An instance that starts at [`NOON`].
    pub(crate) async fn instance(&self) -> Instance {
        let clock = ManualClock::at(NOON);
        let store = self.store(clock.clock()).await;
        Instance {
            service: TokenService::new(Tokens::new(keys()), &store),
            store,
            clock,
        }
    }
}

impl Instance {
    pub(crate) fn step(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn login(&self, subject: &str) -> Grant {
        let (service, subject) = (self.service.clone(), subject.to_owned());
        self.store
            .run_tx("login", move |tx| {
                let (service, subject) = (service.clone(), subject.clone());
                Box::pin(async move {
                    service
                        .start_session_in(tx, &subject, NewSession::default())
                        .await
                })
            })
            .await
            .unwrap()
    }

    pub(crate) async fn rotate(&self, raw: &str) -> Rotation {
        let (service, raw) = (self.service.clone(), raw.to_owned());
        let rotation: Result<_, ServiceError> = self
            .store
            .run_tx("rotate", move |tx| {
                let (service, raw) = (service.clone(), raw.clone());
                Box::pin(async move { service.refresh_in(tx, &raw).await })
            })
            .await;
        rotation.unwrap()
    }

    pub(crate) async fn granted(&self, raw: &str) -> Grant {
        match self.rotate(raw).await {
            Rotation::Granted(grant) => grant,
            other => panic!("not granted: {other:?}"),
        }
    }

    pub(crate) async fn revoke_all(&self, subject: &str) -> u64 {
        let (service, subject) = (self.service.clone(), subject.to_owned());
        let revoked: Result<_, ServiceError> = self
            .store
            .run_tx("revoke", move |tx| {
                let (service, subject) = (service.clone(), subject.clone());
                Box::pin(async move { service.revoke_all_in(tx, &subject).await })
            })
            .await;
        revoked.unwrap()
    }

    pub(crate) async fn logout(&self, grant: &Grant) -> bool {
        let (service, sid) = (self.service.clone(), grant.sid);
        let ended: Result<_, ServiceError> = self
            .store
            .run_tx("logout", move |tx| {
                let service = service.clone();
                Box::pin(async move { service.end_session_in(tx, None, sid, EndReason::Logout).await })
            })
            .await;
        ended.unwrap()
    }
}
