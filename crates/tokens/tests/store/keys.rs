//! Keys in the database: every instance signs and verifies with the same ones, however they come and go.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Error, signing_keys};
use gatepost_tokens::testing::keys;
use gatepost_tokens::{
    ANNOUNCED_AT_LEAST, Access, Activate, Algorithm, KeyInfo, KeyState, KeyStoreError, Keys, Refresh,
    Refused, SigningKey, TokenService, Tokens,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::databases::{Database, Instance, Instances as _, NOON, on_both};

on_both!(
    a_key_made_here_signs_there_and_older_tokens_go_on,
    a_key_is_known_everywhere_before_it_signs,
    one_of_many_instances_rotates,
    a_key_is_retired_everywhere_and_only_when_another_signs,
    sessions_go_on_over_a_rotation,
    the_first_key_is_made_once_by_all_who_start,
    a_sealed_key_opens_for_its_secret_and_its_row_only,
    a_key_verifies_as_long_as_a_token_of_it_can_live,
);

const HOUR: u64 = 3600;

fn alg(raw: &str) -> String {
    let header = raw.split('.').next().unwrap();
    let json = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&json).unwrap();
    header["alg"].as_str().unwrap().to_owned()
}

fn kid(raw: &str) -> String {
    let header = raw.split('.').next().unwrap();
    let json = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&json).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Waits for what an instance that nobody keeps fresh finds out by itself within its bound of a second.
async fn until(at: &Instance, holds: impl AsyncFn() -> bool) {
    let mut news = at.service.revocations().subscribe();
    for _ in 0..40 {
        if holds().await {
            return;
        }
        let _ = tokio::time::timeout(Duration::from_millis(50), news.changed()).await;
    }
    panic!("not within two seconds");
}

async fn access(at: &Instance) -> String {
    at.service.create::<Access>("u").await.unwrap().raw
}

async fn state(at: &Instance, kid: &str) -> KeyState {
    let list = at.service.list_keys().await.unwrap();
    list.into_iter().find(|key| key.kid == kid).unwrap().state
}

async fn generate(at: &Instance, algorithm: Algorithm) -> KeyInfo {
    at.service
        .generate_key(algorithm, &["access"], Duration::ZERO)
        .await
        .unwrap()
}

async fn a_key_made_here_signs_there_and_older_tokens_go_on(db: Database) {
    let (a, b) = (db.instance().await, db.instance().await);
    let old = access(&a).await;
    for algorithm in [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Hs512,
        Algorithm::Hs384,
    ] {
        a.step(1);
        b.step(1);
        let key = generate(&a, algorithm).await;
        assert_eq!((key.state, key.derived), (KeyState::Signing, false));
        let raw = access(&a).await;
        assert_eq!((alg(&raw), kid(&raw)), (algorithm.to_string(), key.kid.clone()));
        // B has not heard of it and finds it when it is asked for.
        until(&b, async || b.service.check_access(&raw).await.is_ok()).await;
        until(&b, async || kid(&access(&b).await) == key.kid).await;
        assert!(b.service.check_access(&old).await.is_ok());
        assert!(b.service.validate_any(&raw).await.is_ok() && b.service.peek::<Access>(&raw).await.is_ok());
    }
    assert_eq!(a.service.tokens().jwks(), b.service.tokens().jwks());
    assert_eq!(a.service.tokens().jwks()["keys"].as_array().unwrap().len(), 2);
    assert_eq!(
        alg(&a.service.create::<Activate>("u").await.unwrap().raw),
        "HS256"
    );
}

async fn a_key_is_known_everywhere_before_it_signs(db: Database) {
    let (a, b) = (db.instance().await, db.instance().await);
    let old = generate(&a, Algorithm::EdDsa).await;
    let new = a.service.rotate_key(&old.kid, ANNOUNCED_AT_LEAST).await.unwrap();
    assert_eq!(
        (new.algorithm.as_str(), new.state),
        ("EdDSA", KeyState::Announced)
    );
    assert_eq!(kid(&access(&a).await), old.kid);
    assert_eq!(a.service.tokens().jwks()["keys"].as_array().unwrap().len(), 2);
    for at in [&a, &b] {
        at.step(2);
    }
    let raw = access(&a).await;
    assert_eq!(kid(&raw), new.kid);
    until(&b, async || b.service.check_access(&raw).await.is_ok()).await;
    assert_eq!(state(&b, &old.kid).await, KeyState::Verifying);
    assert_eq!(state(&b, &new.kid).await, KeyState::Signing);
}

async fn one_of_many_instances_rotates(db: Database) {
    let instances = [Arc::new(db.instance().await), Arc::new(db.instance().await)];
    generate(&instances[0], Algorithm::EdDsa).await;
    let (every, ahead) = (Duration::from_secs(24 * HOUR), Duration::from_secs(HOUR));
    for round in 1..=3_usize {
        let early = instances[0].service.rotate_due(every, ahead).await.unwrap();
        assert!(early.is_empty(), "not due yet");
        // Due an hour before the day is over, so that the next key signs when it is.
        for at in &instances {
            at.step(23 * HOUR);
        }
        let start = Arc::new(Barrier::new(16));
        let mut callers = JoinSet::new();
        for caller in 0..16 {
            let (at, start) = (Arc::clone(&instances[caller % 2]), Arc::clone(&start));
            callers.spawn(async move {
                start.wait().await;
                at.service.rotate_due(every, ahead).await.unwrap().len()
            });
        }
        assert_eq!(callers.join_all().await.iter().sum::<usize>(), 1, "round {round}");
        let own = |key: &KeyInfo| !key.derived;
        let list = instances[1].service.list_keys().await.unwrap();
        assert_eq!(list.into_iter().filter(own).count(), round + 1);
        for at in &instances {
            at.step(HOUR);
        }
    }
    let first = kid(&access(&instances[0]).await);
    until(&instances[1], async || kid(&access(&instances[1]).await) == first).await;
}

async fn a_key_is_retired_everywhere_and_only_when_another_signs(db: Database) {
    let (a, b) = (db.instance().await, db.instance().await);
    let derived = access(&a).await;
    let key = generate(&a, Algorithm::EdDsa).await;
    let stolen = access(&a).await;
    assert!(b.service.check_access(&stolen).await.is_ok());
    let refused = a.service.retire_key(&key.kid).await;
    assert!(
        matches!(refused, Err(KeyStoreError::InUse(_))),
        "it would leave nothing that signs"
    );
    assert!(matches!(
        a.service.retire_key("nobody").await,
        Err(KeyStoreError::Unknown(_))
    ));
    for at in [&a, &b] {
        at.step(1);
    }
    a.service.rotate_key(&key.kid, Duration::ZERO).await.unwrap();
    let retired = a.service.retire_key(&key.kid).await.unwrap();
    assert_eq!(retired.state, KeyState::Retired);
    assert_eq!(
        a.service.retire_key(&key.kid).await.unwrap().state,
        KeyState::Retired
    );
    assert_eq!(
        a.service.check_access(&stolen).await.unwrap_err(),
        Refused::Malformed
    );
    until(&b, async || b.service.check_access(&stolen).await.is_err()).await;
    let raw = access(&a).await;
    until(&b, async || b.service.check_access(&raw).await.is_ok()).await;
    // The derived key too: its tokens are dead then, those of other purposes are not.
    assert!(b.service.check_access(&derived).await.is_ok());
    let link = a.service.create::<Activate>("u").await.unwrap().raw;
    assert!(matches!(
        a.service.retire_key(&kid(&link)).await,
        Err(KeyStoreError::InUse(_))
    ));
    b.service.retire_key(&kid(&derived)).await.unwrap();
    assert_eq!(
        b.service.check_access(&derived).await.unwrap_err(),
        Refused::Malformed
    );
    assert_eq!(state(&a, &kid(&derived)).await, KeyState::Retired);
    assert!(b.service.peek::<Activate>(&link).await.is_ok());
}

async fn sessions_go_on_over_a_rotation(db: Database) {
    let (a, b) = (db.instance().await, db.instance().await);
    let grant = a.login("u").await;
    let both = a
        .service
        .generate_key(Algorithm::EdDsa, &["refresh", "access"], Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(both.purposes, ["access", "refresh"]);
    // Made with the secret's key, refreshed into the new one's, on the instance that has not read of it.
    let next = b.granted(&grant.refresh).await;
    assert_eq!(
        (kid(&next.refresh), kid(&next.access)),
        (both.kid.clone(), both.kid.clone())
    );
    assert!(a.service.check_access(&next.access).await.is_ok());
    for at in [&a, &b] {
        at.step(60);
    }
    a.service.rotate_key(&both.kid, Duration::ZERO).await.unwrap();
    let third = b.granted(&next.refresh).await;
    assert_ne!(kid(&third.refresh), both.kid);
    // The answer was lost: the same successor again, signed by the key that made it.
    assert_eq!(b.granted(&next.refresh).await.refresh, third.refresh);
    a.service.retire_key(&both.kid).await.unwrap();
    assert_eq!(
        a.service.peek::<Refresh>(&next.refresh).await.unwrap_err(),
        Refused::Malformed
    );
    assert!(a.service.refresh(&third.refresh).await.is_ok());
}

async fn the_first_key_is_made_once_by_all_who_start(db: Database) {
    let instances: [_; 3] = [
        Arc::new(db.instance().await),
        Arc::new(db.instance().await),
        Arc::new(db.instance().await),
    ];
    let mut callers = JoinSet::new();
    for caller in 0..12 {
        let at = Arc::clone(&instances[caller % 3]);
        callers.spawn(async move {
            at.service
                .ensure_key(Algorithm::Es256, &["access"])
                .await
                .unwrap()
        });
    }
    let made: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    for at in &instances {
        assert_eq!(kid(&access(at).await), made[0].kid);
        at.step(1);
    }
    let at = &instances[2].service;
    assert!(
        at.ensure_key(Algorithm::Es256, &["access"])
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        at.ensure_key(Algorithm::Hs256, &["activate"])
            .await
            .unwrap()
            .is_none(),
        "derived ones do"
    );
    let back = at
        .ensure_key(Algorithm::Hs256, &["access"])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        kid(&access(&instances[2]).await),
        back.kid,
        "another algorithm, another key"
    );
    for purposes in [vec![], vec!["nothing"], vec!["access", "Access"]] {
        let refused = at.generate_key(Algorithm::EdDsa, &purposes, Duration::ZERO).await;
        assert!(matches!(refused, Err(KeyStoreError::Key(_))), "{purposes:?}");
    }
}

async fn a_sealed_key_opens_for_its_secret_and_its_row_only(db: Database) {
    let at = db.instance().await;
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    at.service
        .add_key(key.clone(), &["access"], Duration::ZERO)
        .await
        .unwrap();
    let twice = at
        .service
        .add_key(key.clone(), &["refresh"], Duration::ZERO)
        .await;
    assert!(matches!(twice, Err(KeyStoreError::Known(_))));
    let raw = access(&at).await;
    let rows = || at.store.read("keys", |tx| Box::pin(signing_keys::list(tx)));
    let row = rows().await.unwrap().remove(0);
    let private: serde_json::Value =
        serde_json::from_str(secrecy::ExposeSecret::expose_secret(&key.to_jwk())).unwrap();
    let sealed = row.sealed.clone().unwrap();
    let text = private["d"].as_str().unwrap();
    assert!(
        !sealed
            .windows(8)
            .any(|window| text.as_bytes().windows(8).any(|other| other == window))
    );
    if let Some(bytes) = db.bytes() {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()));
    }

    let clock = ManualClock::at(NOON);
    let service = |keys: Keys, store| TokenService::new(Tokens::new(keys), store);
    // Another secret: the key is not used, and nothing falls back to it.
    let store = db.store(clock.clock()).await;
    let stranger = service(Keys::from_secret([5; 32]).unwrap(), &store);
    assert!(stranger.check_access(&raw).await.is_err());
    assert_eq!(alg(&stranger.create::<Access>("u").await.unwrap().raw), "HS256");
    assert_eq!(stranger.tokens().jwks()["keys"].as_array().unwrap().len(), 0);
    // A new secret with the old one among the previous ones: opened, and sealed anew.
    let next = Keys::from_secret([5; 32])
        .unwrap()
        .with_previous(old_secret())
        .unwrap();
    let store = db.store(clock.clock()).await;
    let renewed = service(next, &store);
    assert!(renewed.check_access(&raw).await.is_ok());
    renewed
        .rotate_due(Duration::from_secs(24 * HOUR), Duration::ZERO)
        .await
        .unwrap();
    let now = rows().await.unwrap().remove(0);
    assert_ne!(now.sealed_by, row.sealed_by);
    let store = db.store(clock.clock()).await;
    let alone = service(Keys::from_secret([5; 32]).unwrap(), &store);
    assert!(
        alone.check_access(&raw).await.is_ok(),
        "the old secret is not needed for it any more"
    );

    // Somebody with a hand in the database gives the key another purpose, or another's name.
    let mut moved = row.clone();
    (moved.kid, moved.number, moved.purposes) = ("moved".into(), 9, "access refresh".into());
    let inserted: Result<bool, Error> = at
        .store
        .run_tx("forge", move |tx| {
            let moved = moved.clone();
            Box::pin(async move { signing_keys::insert(tx, &moved).await })
        })
        .await;
    assert!(inserted.unwrap());
    let fresh = db.instance().await;
    assert!(fresh.service.tokens().key_ring().keys().is_empty());
    let after = access(&fresh).await;
    assert!(fresh.service.check_access(&after).await.is_ok());
    assert!(
        fresh
            .service
            .tokens()
            .key_ring()
            .keys()
            .iter()
            .all(|key| key.key.kid() != "moved")
    );
}

fn old_secret() -> &'static [u8] {
    let secret = b"for tests only: everybody knows this secret";
    assert_eq!(
        Keys::from_secret(secret).unwrap().fingerprint(),
        keys().fingerprint()
    );
    secret
}

async fn a_key_verifies_as_long_as_a_token_of_it_can_live(db: Database) {
    let at = db.instance().await;
    let (old, link_key) = (
        generate(&at, Algorithm::EdDsa).await,
        at.service
            .generate_key(Algorithm::Hs256, &["activate"], Duration::ZERO)
            .await
            .unwrap(),
    );
    at.step(HOUR);
    let last = access(&at).await;
    at.step(1);
    for key in [&old, &link_key] {
        at.service.rotate_key(&key.kid, Duration::ZERO).await.unwrap();
    }
    at.step(HOUR - 2);
    assert!(at.service.check_access(&last).await.is_ok(), "its last second");
    at.step(1);
    assert_eq!(
        at.service.check_access(&last).await.unwrap_err(),
        Refused::Expired
    );
    assert_eq!(state(&at, &old.kid).await, KeyState::Verifying);
    at.step(120);
    assert_eq!(state(&at, &old.kid).await, KeyState::Expired);
    assert_eq!(
        at.service.check_access(&last).await.unwrap_err(),
        Refused::Malformed
    );
    // Links may be made with lifetimes of their own, of up to 366 days.
    at.step(365 * 24 * HOUR);
    assert_eq!(state(&at, &link_key.kid).await, KeyState::Verifying);
    at.service
        .rotate_due(Duration::from_secs(1000 * 24 * HOUR), Duration::ZERO)
        .await
        .unwrap();
    let known = at.service.list_keys().await.unwrap();
    assert!(
        !known.iter().any(|key| key.kid == old.kid),
        "long dead: forgotten"
    );
    assert!(known.iter().any(|key| key.kid == link_key.kid));
}
