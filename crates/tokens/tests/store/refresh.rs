//! One refresh token has one successor; a lost answer can be asked for again; an old token ends the session.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gatepost_tokens::{NewToken, Refresh, Refused, Rotation, SessionLimits};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::databases::{Database, Instances as _, on_both};

on_both!(
    of_64_callers_all_get_the_same_successor,
    a_lost_answer_can_be_asked_for_again_for_as_long_as_nobody_saw_it,
    within_ten_seconds_the_previous_token_may_ask_again_though_its_successor_was_seen,
    an_access_token_that_was_presented_counts_as_seen,
    the_grandparent_ends_the_session,
    a_token_newer_than_the_row_is_refused_and_ends_nothing,
    a_session_ends_when_idle_and_in_the_end_in_any_case,
    a_refresh_token_without_a_session_is_none,
);

async fn of_64_callers_all_get_the_same_successor(db: Database) {
    let instances = [Arc::new(db.instance().await), Arc::new(db.instance().await)];
    for round in 0..50 {
        let first = instances[0].login("u").await;
        let start = Arc::new(Barrier::new(64));
        let mut callers = JoinSet::new();
        for caller in 0..64 {
            let (at, raw, start) = (
                Arc::clone(&instances[caller % 2]),
                first.refresh.clone(),
                Arc::clone(&start),
            );
            callers.spawn(async move {
                start.wait().await;
                at.granted(&raw).await
            });
        }
        let grants = callers.join_all().await;
        let pairs: HashSet<_> = grants
            .iter()
            .map(|grant| (&grant.refresh, &grant.access))
            .collect();
        assert_eq!(pairs.len(), 1, "round {round}");
        let second = instances[1].granted(&grants[0].refresh).await;
        assert!(
            matches!(instances[0].rotate(&first.refresh).await, Rotation::Reuse(_)),
            "round {round}"
        );
        assert_eq!(
            instances[1].rotate(&second.refresh).await,
            Rotation::Refused(Refused::Revoked)
        );
    }
}

async fn a_lost_answer_can_be_asked_for_again_for_as_long_as_nobody_saw_it(db: Database) {
    let at = db.instance().await;
    let first = at.login("u").await;
    let lost = at.granted(&first.refresh).await;
    at.step(60);
    let again = at.granted(&first.refresh).await;
    assert_eq!(
        (&again.refresh, &again.access, again.expires_in),
        (&lost.refresh, &lost.access, 3540)
    );
    at.step(2 * 86_400);
    let late = at.granted(&first.refresh).await;
    assert_eq!(late.refresh, lost.refresh, "the same successor two days later");
    assert_eq!(
        late.expires_in, 3600,
        "with an access token that has its life before it"
    );
    assert!(at.service.check_access(&late.access).await.is_ok());
    assert!(matches!(at.rotate(&late.refresh).await, Rotation::Granted(_)));
}

async fn within_ten_seconds_the_previous_token_may_ask_again_though_its_successor_was_seen(db: Database) {
    let at = db.instance().await;
    let first = at.login("u").await;
    let second = at.granted(&first.refresh).await;
    at.service.check_access(&second.access).await.unwrap();
    at.step(9);
    assert_eq!(at.granted(&first.refresh).await.refresh, second.refresh);
    at.step(1);
    let Rotation::Reuse(reuse) = at.rotate(&first.refresh).await else {
        panic!("not found out")
    };
    assert_eq!((reuse.subject.as_str(), reuse.sid), ("u", first.sid));
    assert_eq!(
        at.rotate(&second.refresh).await,
        Rotation::Refused(Refused::Revoked)
    );
    assert_eq!(
        at.rotate(&first.refresh).await,
        Rotation::Refused(Refused::Revoked),
        "told once, not twice"
    );
    assert_eq!(
        at.service.check_access(&second.access).await.unwrap_err(),
        Refused::Revoked
    );
}

async fn an_access_token_that_was_presented_counts_as_seen(db: Database) {
    let (at, other) = (db.instance().await, db.instance().await);
    let first = at.login("u").await;
    let second = at.granted(&first.refresh).await;
    at.step(3000);
    assert!(
        other.service.check_access(&second.access).await.is_ok(),
        "another instance sees it"
    );
    assert!(matches!(at.rotate(&first.refresh).await, Rotation::Reuse(_)));
}

async fn the_grandparent_ends_the_session(db: Database) {
    let at = db.instance().await;
    let first = at.login("u").await;
    let second = at.granted(&first.refresh).await;
    let third = at.granted(&second.refresh).await;
    assert!(
        matches!(at.rotate(&first.refresh).await, Rotation::Reuse(_)),
        "though it all took no ten seconds"
    );
    assert_eq!(
        at.rotate(&third.refresh).await,
        Rotation::Refused(Refused::Revoked)
    );
    assert_eq!(at.service.refresh(&third.refresh).await, Err(Refused::Revoked));
}

async fn a_token_newer_than_the_row_is_refused_and_ends_nothing(db: Database) {
    let at = db.instance().await;
    let first = at.login("u").await;
    let newer = NewToken::new("u").session(first.sid.to_string(), 5).generation(0);
    let newer = at.service.tokens().mint::<Refresh>(&newer).unwrap().raw;
    assert_eq!(at.rotate(&newer).await, Rotation::Refused(Refused::Revoked));
    let twin = NewToken::new("u").session(first.sid.to_string(), 0).generation(0);
    let twin = at.service.tokens().mint::<Refresh>(&twin).unwrap().raw;
    assert_eq!(
        at.rotate(&twin).await,
        Rotation::Refused(Refused::Revoked),
        "the same place, another token"
    );
    assert!(matches!(at.rotate(&first.refresh).await, Rotation::Granted(_)));
}

async fn a_session_ends_when_idle_and_in_the_end_in_any_case(db: Database) {
    let mut at = db.instance().await;
    let idle = at.login("u").await;
    at.step(7 * 86_400);
    assert_eq!(
        at.rotate(&idle.refresh).await,
        Rotation::Refused(Refused::Expired)
    );

    let lenient = at.service.clone();
    let limits = SessionLimits {
        idle: Some(Duration::from_hours(2)),
        ..SessionLimits::default()
    };
    at.service = lenient.clone().with_limits(limits);
    let idle = at.login("u").await;
    at.step(7200);
    assert_eq!(
        at.rotate(&idle.refresh).await,
        Rotation::Refused(Refused::Expired)
    );
    at.service = lenient;

    let limits = SessionLimits {
        absolute: Duration::from_hours(48),
        ..SessionLimits::default()
    };
    at.service = at.service.clone().with_limits(limits);
    let mut grant = at.login("u").await;
    for _ in 0..47 {
        at.step(3600);
        grant = at.granted(&grant.refresh).await;
    }
    at.step(1800);
    grant = at.granted(&grant.refresh).await;
    assert_eq!(grant.expires_in, 1800, "no access token outlives its session");
    at.step(1800);
    assert_eq!(
        at.rotate(&grant.refresh).await,
        Rotation::Refused(Refused::Expired)
    );
    assert_eq!(
        at.service.check_access(&grant.access).await.unwrap_err(),
        Refused::Expired
    );
}

async fn a_refresh_token_without_a_session_is_none(db: Database) {
    let at = db.instance().await;
    let raw = at.service.tokens().create::<Refresh>("u").unwrap();
    assert_eq!(at.rotate(&raw).await, Rotation::Refused(Refused::Malformed));
    let access = at.login("u").await.access;
    assert_eq!(at.rotate(&access).await, Rotation::Refused(Refused::WrongPurpose));
}
