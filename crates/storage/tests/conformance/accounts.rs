//! The tables of the server: each change guards itself and tells whether it won.

use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Error, Store, Timestamp, audit, new_id, registrations, users};
use serde_json::json;
use uuid::Uuid;

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    users_guard_themselves,
    registrations_are_taken_once,
    the_audit_is_swept
);

fn user(at: Timestamp, email: &str) -> users::UserRow {
    users::UserRow {
        id: new_id(at).into(),
        email: email.to_owned(),
        email_canonical: email.to_lowercase(),
        password: "hash-1".to_owned(),
        active: true,
        locale: "en".to_owned(),
        profile: sqlx::types::Json(json!({"name": "Анна"})),
        created_at: at,
        updated_at: at,
        activated_at: Some(at),
        password_changed_at: None,
        last_login_at: None,
    }
}

async fn tx<T: Send + 'static>(
    store: &Store,
    body: impl for<'a> FnMut(&'a mut gatepost_storage::Tx<'_>) -> gatepost_storage::TxFuture<'a, T, Error>
    + Send
    + 'static,
) -> T {
    store.run_tx("test", body).await.unwrap()
}

async fn users_guard_themselves(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
    let store = db.store_with(clock.clock()).await;
    let anna = user(store.now(), "Anna@example.com");
    let twin = user(store.now(), "anna@example.com");
    let (id, other) = (anna.id, twin.id);
    let insert = |row: users::UserRow| {
        let store = store.clone();
        async move {
            tx(&store, move |tx| {
                let row = row.clone();
                Box::pin(async move { users::insert(tx, &row).await })
            })
            .await
        }
    };
    assert!(insert(anna).await);
    assert!(!insert(twin).await, "one canonical address, one user");
    clock.advance(Duration::from_secs(5));

    let (stale, fresh, login) = tx(&store, move |tx| {
        Box::pin(async move {
            let stale = users::change_password(tx, id, "hash-0", "hash-2").await?;
            let fresh = users::change_password(tx, id, "hash-1", "hash-2").await?;
            Ok((stale, fresh, users::note_login(tx, id, "hash-1", None).await?))
        })
    })
    .await;
    assert!(
        !stale && fresh && !login,
        "a password that was changed meanwhile logs nobody in"
    );

    tx(&store, move |tx| {
        Box::pin(async move {
            assert!(users::note_login(tx, id, "hash-2", Some("hash-3")).await?);
            assert!(users::set_active(tx, id, false).await?);
            assert!(!users::set_active(tx, id, false).await?);
            assert!(!users::note_login(tx, id, "hash-3", None).await?);
            assert!(!users::change_password(tx, id, "hash-3", "x").await?);
            assert!(!users::activate(tx, id).await?, "it was activated before");
            assert!(users::set_active(tx, id, true).await?);
            assert!(users::update_profile(tx, id, Some("ru"), None).await?);
            assert!(users::update_profile(tx, id, None, Some(&json!({"a": 1}))).await?);
            assert!(!users::update_profile(tx, other, Some("ru"), None).await?);
            Ok(())
        })
    })
    .await;
    let row = store
        .read("user", |tx| {
            Box::pin(async move { users::by_email(tx, "anna@example.com").await })
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.id, row.locale.as_str(), row.password.as_str()),
        (id, "ru", "hash-3")
    );
    assert_eq!(row.profile.0, json!({"a": 1}));
    assert_eq!(row.activated_at, Some(Timestamp::from_secs(1_700_000_000)));
    assert_eq!(row.last_login_at, Some(store.now()));

    let (page, rest, count) = store
        .read("users", |tx| {
            Box::pin(async move {
                let page = users::list(tx, None, 10).await?;
                Ok::<_, Error>((
                    page.len(),
                    users::list(tx, Some(id), 10).await?.len(),
                    users::count(tx).await?,
                ))
            })
        })
        .await
        .unwrap();
    assert_eq!((page, rest, count), (1, 0, 1));
    assert!(
        tx(&store, move |tx| Box::pin(
            async move { users::delete(tx, id).await }
        ))
        .await
    );
    assert!(
        !tx(&store, move |tx| Box::pin(async move {
            users::set_password(tx, id, "x").await
        }))
        .await
    );
}

async fn registrations_are_taken_once(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
    let store = db.store_with(clock.clock()).await;
    let now = store.now();
    let row = move |n: u64| registrations::RegistrationRow {
        id: Uuid::from_u128(u128::from(n)),
        email: "Anna@example.com".into(),
        email_canonical: "anna@example.com".into(),
        password: format!("hash-{n}"),
        locale: "en".into(),
        profile: sqlx::types::Json(json!({})),
        requested_at: now + Duration::from_secs(n),
        expires_at: now + Duration::from_secs(100 * n),
    };
    tx(&store, move |tx| {
        Box::pin(async move {
            for n in 1..=3 {
                assert!(registrations::insert(tx, &row(n)).await?);
                assert!(!registrations::insert(tx, &row(n)).await?);
            }
            let newest = registrations::by_email(tx, "anna@example.com", 2).await?;
            assert_eq!(
                newest.iter().map(|r| r.password.as_str()).collect::<Vec<_>>(),
                ["hash-3", "hash-2"]
            );
            Ok(())
        })
    })
    .await;
    clock.advance(Duration::from_secs(100));
    tx(&store, move |tx| {
        Box::pin(async move {
            assert!(
                registrations::get(tx, Uuid::from_u128(1)).await?.is_none(),
                "it has expired"
            );
            assert!(registrations::take(tx, Uuid::from_u128(1)).await?.is_none());
            assert_eq!(registrations::sweep(tx, 10).await?, 1);
            assert_eq!(
                registrations::take(tx, Uuid::from_u128(2))
                    .await?
                    .unwrap()
                    .password,
                "hash-2"
            );
            assert!(registrations::take(tx, Uuid::from_u128(2)).await?.is_none());
            assert_eq!(registrations::void_email(tx, "anna@example.com").await?, 1);
            Ok(())
        })
    })
    .await;
}

async fn the_audit_is_swept(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_700_000_000));
    let store = db.store_with(clock.clock()).await;
    tx(&store, |tx| {
        Box::pin(async move {
            audit::note(
                tx,
                "key:shop",
                "token.created",
                Some("42"),
                json!({"purpose": "activate"}),
            )
            .await?;
            Ok(())
        })
    })
    .await;
    clock.advance(Duration::from_secs(10));
    tx(&store, |tx| {
        Box::pin(async move {
            assert_eq!(
                audit::of_subject(tx, "42", 10).await?[0].detail.0["purpose"],
                "activate"
            );
            let now = tx.now();
            assert_eq!(audit::sweep(tx, now, 10).await?, 1);
            Ok(())
        })
    })
    .await;
}
