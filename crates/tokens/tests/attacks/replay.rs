//! The same token again: at once, from two instances, after a rollback, after a restart.

use std::sync::Arc;

use gatepost_storage::testing::{Database, ManualClock};
use gatepost_storage::{Set, Store, Timestamp, test_on_both};
use gatepost_tokens::testing::keys;
use gatepost_tokens::{
    Access, Activate, ChangePassword, NewSession, Purpose, Refused, Socket, TokenService, Tokens,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

test_on_both!(
    gatepost_storage::testing::Database: a_ticket_opens_one_socket_of_many_that_race_on_two_instances,
    a_used_token_stays_used_after_a_restart,
    a_token_used_by_a_cancelled_caller_is_used_once_at_most,
    a_refresh_token_never_has_two_successors,
    a_revoked_access_token_is_dead_on_the_other_instance,
);

struct Instance {
    service: TokenService,
    store: Store,
    clock: ManualClock,
}

async fn instance(db: &Database) -> Instance {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.open(&[Set::Tokens], clock.clock()).await;
    Instance {
        service: TokenService::new(Tokens::new(keys()), &store),
        store,
        clock,
    }
}

impl Instance {
    async fn consume<P: Purpose>(&self, raw: &str) -> Result<String, Refused> {
        let (service, raw) = (self.service.clone(), raw.to_owned());
        self.store
            .run_tx("consume", move |tx| {
                let (service, raw) = (service.clone(), raw.clone());
                Box::pin(async move { Ok(service.verify_in::<P>(tx, &raw).await?.user_id().to_owned()) })
            })
            .await
    }
}

async fn a_ticket_opens_one_socket_of_many_that_race_on_two_instances(db: Database) {
    let at = [Arc::new(instance(&db).await), Arc::new(instance(&db).await)];
    for round in 0..20 {
        let raw = at[round % 2].service.create::<Socket>("u").await.unwrap().raw;
        let start = Arc::new(Barrier::new(32));
        let mut callers = JoinSet::new();
        for caller in 0..32 {
            let (at, raw, start) = (Arc::clone(&at[caller % 2]), raw.clone(), Arc::clone(&start));
            callers.spawn(async move {
                start.wait().await;
                at.consume::<Socket>(&raw).await
            });
        }
        let outcomes = callers.join_all().await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let used = outcomes
            .iter()
            .filter(|outcome| **outcome == Err(Refused::Used))
            .count();
        assert_eq!((won, used), (1, 31), "round {round}");
    }
}

async fn a_used_token_stays_used_after_a_restart(db: Database) {
    let raw = {
        let at = instance(&db).await;
        let raw = at.service.create::<ChangePassword>("u").await.unwrap().raw;
        at.consume::<ChangePassword>(&raw).await.unwrap();
        raw
    };
    let at = instance(&db).await;
    assert_eq!(at.consume::<ChangePassword>(&raw).await, Err(Refused::Used));
    // Also when the sweep has been by while it still lives, and by a clock that was set back.
    at.service.sweep().await.unwrap();
    at.clock.set(Timestamp::from_secs(1_799_990_000));
    at.service.sweep().await.unwrap();
    assert_eq!(at.consume::<ChangePassword>(&raw).await, Err(Refused::Used));
    assert!(at.consume::<Activate>(&raw).await.is_err());
}

async fn a_token_used_by_a_cancelled_caller_is_used_once_at_most(db: Database) {
    let at = Arc::new(instance(&db).await);
    for _ in 0..10 {
        let raw = at.service.create::<Activate>("u").await.unwrap().raw;
        let first = tokio::spawn({
            let (at, raw) = (Arc::clone(&at), raw.clone());
            async move { at.consume::<Activate>(&raw).await }
        });
        tokio::task::yield_now().await;
        first.abort();
        let first = first.await.is_ok_and(|outcome| outcome.is_ok());
        let mut wins = u32::from(first);
        for _ in 0..3 {
            wins += u32::from(at.consume::<Activate>(&raw).await.is_ok());
        }
        assert!(wins <= 1, "{wins} times");
        assert_eq!(at.consume::<Activate>(&raw).await, Err(Refused::Used));
    }
}

async fn a_refresh_token_never_has_two_successors(db: Database) {
    let at = [Arc::new(instance(&db).await), Arc::new(instance(&db).await)];
    let (service, store) = (at[0].service.clone(), &at[0].store);
    let grant = store
        .run_tx("login", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.start_session_in(tx, "u", NewSession::default()).await })
        })
        .await
        .unwrap();
    let start = Arc::new(Barrier::new(32));
    let mut callers = JoinSet::new();
    for caller in 0..32 {
        let (at, raw, start) = (
            Arc::clone(&at[caller % 2]),
            grant.refresh.clone(),
            Arc::clone(&start),
        );
        callers.spawn(async move {
            start.wait().await;
            at.service.refresh(&raw).await
        });
    }
    let mut successors: Vec<String> = callers
        .join_all()
        .await
        .into_iter()
        .map(|grant| grant.unwrap().refresh)
        .collect();
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1, "one successor for all who ask");
    // Seen, and then the parent again from the other instance: the session is over for both holders.
    let next = at[0].service.refresh(&successors[0]).await.unwrap();
    assert_eq!(at[1].service.refresh(&grant.refresh).await, Err(Refused::Revoked));
    assert_eq!(at[0].service.refresh(&next.refresh).await, Err(Refused::Revoked));
    assert!(at[1].service.check_access(&next.access).await.is_err());
}

async fn a_revoked_access_token_is_dead_on_the_other_instance(db: Database) {
    let at = [instance(&db).await, instance(&db).await];
    let raw = at[0].service.create::<Access>("u").await.unwrap().raw;
    assert!(at[1].service.check_access(&raw).await.is_ok());
    let (service, same) = (at[0].service.clone(), raw.clone());
    let revoked = at[0]
        .store
        .run_tx("revoke", move |tx| {
            let (service, raw) = (service.clone(), same.clone());
            Box::pin(async move { service.revoke_token_in(tx, &raw).await })
        })
        .await
        .unwrap();
    assert!(revoked);
    assert_eq!(
        at[0].service.check_access(&raw).await.unwrap_err(),
        Refused::Revoked
    );
    // The other one is told, or finds out by itself within its bound: nobody sleeps for it here, since each check
    // that meets an old view reads the log first.
    let mut news = at[1].service.revocations().subscribe();
    while at[1].service.check_access(&raw).await.is_ok() {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(50), news.changed()).await;
        assert!(at[1].service.revocations().age() < std::time::Duration::from_secs(2));
    }
    assert_eq!(
        at[1].service.check_access(&raw).await.unwrap_err(),
        Refused::Revoked
    );
}
