//! A one-time token permits one thing once.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::Tx;
use gatepost_tokens::{
    Access, Activate, ChangePassword, Jti, Minted, NewToken, Purpose, PurposeSpec, Refused, ServiceError,
    TokenService, Tokens,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::databases::{Database, Instance, Instances as _, on_both};

on_both!(
    of_64_callers_on_two_instances_one_wins,
    of_64_callers_with_nothing_else_to_write_one_wins,
    what_is_alone_is_refused_for_the_same_reasons,
    what_is_rolled_back_was_not_used,
    a_newer_letter_kills_the_older_link_when_it_is_sent,
    a_letter_sent_twice_is_used_once,
    a_used_token_is_told_from_a_revoked_one,
    looking_uses_nothing_up,
    purposes_from_configuration_are_used_up_too,
);

async fn verify<P: Purpose<Extra = ()>>(at: &Instance, raw: &str) -> Result<String, Refused> {
    let (service, raw) = (at.service.clone(), raw.to_owned());
    at.store
        .run_tx("verify", move |tx| {
            let (service, raw) = (service.clone(), raw.clone());
            Box::pin(async move { Ok(service.verify_in::<P>(tx, &raw).await?.subject.clone()) })
        })
        .await
}

async fn make<P: Purpose<Extra = ()>>(at: &Instance, new: NewToken) -> Minted {
    let service = at.service.clone();
    let made: Result<_, ServiceError> = at
        .store
        .run_tx("make", move |tx| {
            let (service, new) = (service.clone(), new.clone());
            Box::pin(async move { service.create_in::<P>(tx, new).await })
        })
        .await;
    made.unwrap()
}

async fn of_64_callers_on_two_instances_one_wins(db: Database) {
    let instances = [Arc::new(db.instance().await), Arc::new(db.instance().await)];
    for round in 0..50 {
        let raw = instances[0]
            .service
            .create::<Activate>(format!("user-{round}"))
            .await
            .unwrap()
            .raw;
        let start = Arc::new(Barrier::new(64));
        let mut callers = JoinSet::new();
        for caller in 0..64 {
            let (at, raw, start) = (
                Arc::clone(&instances[caller % 2]),
                raw.clone(),
                Arc::clone(&start),
            );
            callers.spawn(async move {
                start.wait().await;
                verify::<Activate>(&at, &raw).await
            });
        }
        let outcomes = callers.join_all().await;
        assert_eq!(
            outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
            1,
            "round {round}"
        );
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| **outcome == Err(Refused::Used))
                .count(),
            63,
            "round {round}"
        );
    }
}

async fn of_64_callers_with_nothing_else_to_write_one_wins(db: Database) {
    let instances = [Arc::new(db.instance().await), Arc::new(db.instance().await)];
    for at in &instances {
        read(at).await;
    }
    for round in 0..50 {
        let made = instances[0].service.create::<Activate>(format!("user-{round}"));
        let raw = made.await.unwrap().raw;
        let start = Arc::new(Barrier::new(64));
        let mut callers = JoinSet::new();
        for caller in 0..64 {
            let at = Arc::clone(&instances[caller % 2]);
            let (raw, start) = (raw.clone(), Arc::clone(&start));
            callers.spawn(async move {
                start.wait().await;
                // Each way beside the others.
                match caller % 3 {
                    0 => at.service.verify_named_alone(&raw, "activate").await.map(|_| ()),
                    1 => verify::<Activate>(&at, &raw).await.map(|_| ()),
                    _ => at.service.verify_alone::<Activate>(&raw).await.map(|_| ()),
                }
            });
        }
        let outcomes = callers.join_all().await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let used = outcomes.iter().filter(|outcome| **outcome == Err(Refused::Used));
        assert_eq!((won, used.count()), (1, 63), "round {round}");
    }
}

/// Reads keys and revocations from now on, as a program does.
async fn read(at: &Instance) {
    let service = at.service.clone();
    tokio::spawn(async move { service.revocations().run_until(std::future::pending()).await });
    while at.service.revocations().age() > Duration::from_millis(500) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn revoke_all(at: &Instance, user: &str) {
    let (service, user) = (at.service.clone(), user.to_owned());
    let revoked: Result<u64, ServiceError> = at
        .store
        .run_tx("revoke", move |tx| {
            let (service, user) = (service.clone(), user.clone());
            Box::pin(async move { service.revoke_all_in(tx, &user).await })
        })
        .await;
    revoked.unwrap();
}

async fn what_is_alone_is_refused_for_the_same_reasons(db: Database) {
    let at = db.instance().await;
    let alone = async |raw: &str| {
        let typed = at.service.verify_alone::<Activate>(raw).await.map(|_| ());
        let named = at.service.verify_named_alone(raw, "activate").await.map(|_| ());
        (typed, named)
    };
    // Before the first reading of keys, and after it.
    for has_read in [false, true] {
        if has_read {
            read(&at).await;
        }
        let user = format!("u-{has_read}");
        let other = at
            .service
            .create::<ChangePassword>(user.as_str())
            .await
            .unwrap()
            .raw;
        let wrong = Err(Refused::WrongPurpose);
        assert_eq!(alone(&other).await, (wrong.clone(), wrong));
        assert!(
            at.service.peek::<ChangePassword>(&other).await.is_ok(),
            "nothing was used up"
        );
        let nonsense = Err(Refused::Malformed);
        assert_eq!(alone("a.b.c").await, (nonsense.clone(), nonsense));

        let raw = at.service.create::<Activate>(user.as_str()).await.unwrap().raw;
        assert_eq!(alone(&raw).await, (Ok(()), Err(Refused::Used)));
        let killed = at.service.create::<Activate>(user.as_str()).await.unwrap().raw;
        revoke_all(&at, &user).await;
        let revoked = Err(Refused::Revoked);
        assert_eq!(alone(&killed).await, (revoked.clone(), revoked));
        let too_late = Err(Refused::Used);
        assert_eq!(
            alone(&raw).await,
            (too_late.clone(), too_late),
            "also if it was revoked after that"
        );
    }
}

async fn what_is_rolled_back_was_not_used(db: Database) {
    let at = db.instance().await;
    let raw = at.service.create::<ChangePassword>(7).await.unwrap().raw;
    let (service, same) = (at.service.clone(), raw.clone());
    let refused: Result<(), Refused> = at
        .store
        .run_tx("weak password", move |tx| {
            let (service, raw) = (service.clone(), same.clone());
            Box::pin(async move {
                service.verify_in::<ChangePassword>(tx, &raw).await?;
                Err(Refused::Malformed)
            })
        })
        .await;
    assert!(refused.is_err());
    assert_eq!(verify::<ChangePassword>(&at, &raw).await.unwrap(), "7");
    assert_eq!(verify::<ChangePassword>(&at, &raw).await, Err(Refused::Used));
}

async fn a_newer_letter_kills_the_older_link_when_it_is_sent(db: Database) {
    let at = db.instance().await;
    let service = at.service.clone();
    let (first, second) = (ask(&at).await, ask(&at).await);
    assert!(first < second);
    let link = |generation| NewToken::new("u").generation(generation);
    let old = make::<Activate>(&at, link(first)).await.raw;
    let new = make::<Activate>(&at, link(second)).await.raw;

    assert!(
        service.peek::<Activate>(&old).await.is_ok(),
        "asked for, not sent: the older link still works"
    );
    sent(&at, second).await;
    assert_eq!(verify::<Activate>(&at, &old).await, Err(Refused::Revoked));
    sent(&at, first).await;
    assert!(
        service.peek::<Activate>(&new).await.is_ok(),
        "an older letter that arrives late kills nothing newer"
    );
    assert!(
        void(&at, first).await && !void(&at, second).await,
        "what need not be sent any more is known"
    );
    let reset = make::<ChangePassword>(&at, NewToken::new("u")).await.raw;
    sent(&at, i64::MAX).await;
    assert!(
        service.peek::<ChangePassword>(&reset).await.is_ok(),
        "another class is another matter"
    );
}

async fn ask(at: &Instance) -> i64 {
    let service = at.service.clone();
    let next: Result<i64, ServiceError> = at
        .store
        .run_tx("ask", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.next_generation_in(tx).await })
        })
        .await;
    next.unwrap()
}

async fn void(at: &Instance, number: i64) -> bool {
    let service = at.service.clone();
    let void: Result<bool, ServiceError> = at
        .store
        .run_tx("void", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.is_void_in::<Activate>(tx, "u", number).await })
        })
        .await;
    void.unwrap()
}

async fn sent(at: &Instance, number: i64) {
    let service = at.service.clone();
    let raised: Result<bool, ServiceError> = at
        .store
        .run_tx("sent", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.raise_generation_in::<Activate>(tx, "u", number).await })
        })
        .await;
    raised.unwrap();
}

async fn a_letter_sent_twice_is_used_once(db: Database) {
    let at = db.instance().await;
    let jti = || Jti::derived(at.service.tokens().keys(), "letter", b"message 1");
    let until = at.clock.now().as_secs() + 86_400 + 1800;
    let letter = || NewToken::new("u").jti(jti()).keep_until(until);
    let first = make::<Activate>(&at, letter()).await;
    at.step(3600);
    let twin = make::<Activate>(&at, letter()).await;
    assert_eq!(first.jti, twin.jti);
    assert_ne!(first.raw, twin.raw);
    assert_eq!(verify::<Activate>(&at, &first.raw).await, Err(Refused::Expired));
    assert!(verify::<Activate>(&at, &twin.raw).await.is_ok());
    at.step(3600);
    assert_eq!(
        at.service.sweep().await.unwrap().blacklist,
        0,
        "remembered past its own life"
    );
    let third = make::<Activate>(&at, letter()).await;
    assert_eq!(verify::<Activate>(&at, &third.raw).await, Err(Refused::Used));
}

async fn a_used_token_is_told_from_a_revoked_one(db: Database) {
    let at = db.instance().await;
    let raw = at.service.create::<Activate>("u").await.unwrap().raw;
    let revoke = |raw: String| {
        let service = at.service.clone();
        at.store.run_tx("revoke", move |tx: &mut Tx<'_>| {
            let (service, raw) = (service.clone(), raw.clone());
            Box::pin(async move { service.revoke_token_in(tx, &raw).await })
        })
    };
    let first: Result<bool, ServiceError> = revoke(raw.clone()).await;
    assert!(first.unwrap());
    assert_eq!(verify::<Activate>(&at, &raw).await, Err(Refused::Revoked));
    assert!(!revoke(raw).await.unwrap(), "revoked already");
    assert!(!revoke("no token".to_owned()).await.unwrap());
}

async fn looking_uses_nothing_up(db: Database) {
    let at = db.instance().await;
    let raw = at.service.create::<Activate>("u").await.unwrap().raw;
    for _ in 0..20 {
        assert!(at.service.peek::<Activate>(&raw).await.is_ok());
        assert_eq!(
            at.service.validate_any(&raw).await.unwrap().purpose.name,
            "activate"
        );
    }
    assert_eq!(
        at.service.check_access(&raw).await.unwrap_err(),
        Refused::WrongPurpose
    );
    assert_eq!(at.service.blacklist_count().await.unwrap(), (0, 0));
    verify::<Activate>(&at, &raw).await.unwrap();
    assert_eq!(
        at.service.peek::<Activate>(&raw).await.unwrap_err(),
        Refused::Used
    );
    assert_eq!(at.service.blacklist_count().await.unwrap(), (1, 0));
    let access = at.service.create::<Access>("u").await.unwrap().raw;
    assert!(verify::<Access>(&at, &access).await.is_ok() && verify::<Access>(&at, &access).await.is_ok());
}

async fn purposes_from_configuration_are_used_up_too(db: Database) {
    let at = db.instance().await;
    let spec = PurposeSpec::new("download", Duration::from_mins(10), true).unwrap();
    let tokens: Tokens = at.service.tokens().clone().purpose(spec).unwrap();
    let service = TokenService::new(tokens, &at.store);
    let maker = service.clone();
    let made: Result<Minted, ServiceError> = at
        .store
        .run_tx("make", move |tx| {
            let service = maker.clone();
            Box::pin(async move {
                let mut extra = serde_json::Map::new();
                extra.insert("file".into(), "a.pdf".into());
                service
                    .create_named_in(tx, "download", NewToken::new("anybody").extra(extra))
                    .await
            })
        })
        .await;
    let raw = made.unwrap().raw;
    let verify = |purpose: &'static str, consume: bool| {
        let (service, raw) = (service.clone(), raw.clone());
        at.store.run_tx("verify", move |tx: &mut Tx<'_>| {
            let (service, raw) = (service.clone(), raw.clone());
            Box::pin(async move { service.verify_named_in(tx, &raw, purpose, consume).await })
        })
    };
    assert_eq!(verify("activate", true).await.unwrap_err(), Refused::WrongPurpose);
    assert_eq!(verify("download", false).await.unwrap().extra["file"], "a.pdf");
    assert!(verify("download", true).await.is_ok());
    assert_eq!(verify("download", true).await.unwrap_err(), Refused::Used);
}
