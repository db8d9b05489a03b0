//! A database knows which secret signs.

use gatepost_storage::testing::ManualClock;
use gatepost_tokens::{Keys, SecretError, TokenService, Tokens};

use crate::databases::{Database, Instances as _, NOON, on_both};

on_both!(
    another_secret_is_refused_until_it_is_adopted,
    a_secret_with_the_known_one_as_previous_takes_its_place
);

async fn another_secret_is_refused_until_it_is_adopted(db: Database) {
    let store = db.store(ManualClock::at(NOON).clock()).await;
    let service = |byte: u8| TokenService::new(Tokens::new(Keys::from_secret([byte; 32]).unwrap()), &store);
    let (one, two) = (service(1), service(2));
    let (first, second) = tokio::join!(one.claim_secret(), two.claim_secret());
    assert!(
        first.is_ok() != second.is_ok(),
        "of two that start at once, one is refused"
    );
    let (known, other) = if first.is_ok() { (one, two) } else { (two, one) };
    known.claim_secret().await.unwrap();
    assert!(matches!(
        other.claim_secret().await,
        Err(SecretError::Unknown { .. })
    ));
    other.adopt_secret().await.unwrap();
    other.claim_secret().await.unwrap();
    assert!(known.claim_secret().await.is_err());
    known.adopt_secret().await.unwrap();
    known.claim_secret().await.unwrap();
}

async fn a_secret_with_the_known_one_as_previous_takes_its_place(db: Database) {
    let store = db.store(ManualClock::at(NOON).clock()).await;
    let old = TokenService::new(Tokens::new(Keys::from_secret([1; 32]).unwrap()), &store);
    old.claim_secret().await.unwrap();
    let keys = Keys::from_secret([2; 32])
        .unwrap()
        .with_previous([1; 32])
        .unwrap();
    let new = TokenService::new(Tokens::new(keys), &store);
    new.claim_secret().await.unwrap();
    assert!(old.claim_secret().await.is_err());
}
