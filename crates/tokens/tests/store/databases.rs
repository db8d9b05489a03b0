//! Instances over a test's database.

use std::time::Duration;

pub(crate) use gatepost_storage::testing::Database;
use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Clock, Set, Store, Timestamp};
use gatepost_tokens::testing::keys;
use gatepost_tokens::{EndReason, Grant, NewSession, Rotation, ServiceError, TokenService, Tokens};

/// Runs each `async fn name(db: Database)` as a test on SQLite and as one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        gatepost_storage::test_on_both!(gatepost_storage::testing::Database: $($name),+);
    };
}
pub(crate) use on_both;

/// A service whose clock stands still.
pub(crate) struct Instance {
    pub(crate) service: TokenService,
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
}

/// 2027-01-15T08:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) trait Instances {
    async fn store(&self, clock: Clock) -> Store;
    /// An instance that starts at [`NOON`].
    async fn instance(&self) -> Instance;
}

impl Instances for Database {
    async fn store(&self, clock: Clock) -> Store {
        self.open(&[Set::Tokens], clock).await
    }

    async fn instance(&self) -> Instance {
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
