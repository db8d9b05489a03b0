//! Whoever reads the log learns of everything, however late it is committed.

use std::collections::BTreeSet;
use std::time::Duration;

use gatepost_storage::revocation_log::{self, Cursor, News, PageCursor};
use gatepost_storage::{Error, Store, Timestamp};
use sqlx::PgPool;

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    whoever_reads_learns_of_everything_once,
    many_rows_are_read_at_once
);

fn later(store: &Store) -> Timestamp {
    store.now() + Duration::from_hours(1)
}

async fn tell(store: &Store, key: &str) {
    let (key, expires_at) = (key.to_owned(), later(store));
    let told: Result<(), Error> = store
        .run_tx("tell", move |tx| {
            let key = key.clone();
            Box::pin(async move {
                let news = News {
                    kind: "subject",
                    key: &key,
                    generation: Some(7),
                    expires_at,
                };
                revocation_log::insert(tx, &news).await
            })
        })
        .await;
    told.unwrap();
}

/// The keys of what is new, as often as they come.
async fn read(store: &Store, cursor: &mut Cursor) -> Vec<String> {
    let from = cursor.clone();
    let read: Result<_, Error> = store
        .read("since", |tx| {
            Box::pin(async move {
                let mut keys = Vec::new();
                let mut note = |news: &News<'_>| {
                    assert_eq!((news.kind, news.generation), ("subject", Some(7)));
                    keys.push(news.key.to_owned());
                };
                let next = revocation_log::since(tx, &from, &mut note).await?;
                Ok((keys, next))
            })
        })
        .await;
    let (mut keys, next) = read.unwrap();
    *cursor = next;
    keys.sort();
    keys
}

/// All parts, as another program reads them.
async fn read_parts(store: &Store, cursor: &mut PageCursor) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    loop {
        // As text, since that is how it is kept.
        let from: PageCursor = cursor.to_string().parse().unwrap();
        let part = store.read("page", |tx| Box::pin(revocation_log::page(tx, from, 2)));
        let (rows, next) = part.await.unwrap();
        *cursor = next;
        let full = rows.len() == 2;
        keys.extend(rows.into_iter().map(|row| row.key));
        if !full {
            return keys;
        }
    }
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(ToString::to_string).collect()
}

async fn whoever_reads_learns_of_everything_once(db: Database) {
    let store = db.store().await;
    let (mut cursor, mut parts) = (Cursor::default(), PageCursor::default());
    assert!(read(&store, &mut cursor).await.is_empty());
    assert!(read_parts(&store, &mut parts).await.is_empty());
    let strange = "ä\t\\N\n\"";
    for key in ["a", strange, "b", "c"] {
        tell(&store, key).await;
    }
    assert_eq!(read(&store, &mut cursor).await, ["a", "b", "c", strange]);
    assert!(read(&store, &mut cursor).await.is_empty(), "once");
    assert_eq!(
        read(&store, &mut Cursor::default()).await.len(),
        4,
        "from the beginning"
    );
    assert_eq!(
        read_parts(&store, &mut parts).await,
        set(&["a", "b", "c", strange])
    );
    tell(&store, "d").await;
    assert_eq!(read(&store, &mut cursor).await, ["d"]);
    assert!(read_parts(&store, &mut parts).await.contains("d"));
    // A cursor of before the database was moved, or set back: everything again.
    for foreign in ["s999999", "p99999999999.0.0", "p1.1.99999999999"] {
        let all = read_parts(&store, &mut foreign.parse().unwrap()).await;
        assert_eq!(all.len(), 5, "{foreign}");
    }
}

async fn many_rows_are_read_at_once(db: Database) {
    let store = db.store().await;
    let expires_at = later(&store);
    for hundred in 0..110 {
        let told: Result<(), Error> = store
            .run_tx("tell", move |tx| {
                Box::pin(async move {
                    for n in 0..100 {
                        let news = News {
                            kind: "subject",
                            key: &format!("user {hundred}-{n}"),
                            generation: Some(7),
                            expires_at,
                        };
                        revocation_log::insert(tx, &news).await?;
                    }
                    Ok(())
                })
            })
            .await;
        told.unwrap();
    }
    let mut cursor = Cursor::default();
    let all: BTreeSet<String> = read(&store, &mut cursor).await.into_iter().collect();
    assert_eq!(all.len(), 11_000);
    assert!(read(&store, &mut cursor).await.is_empty());
}

/// Three transactions, each begun before the reader looked and committed after others that began later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_late_comes_late_and_once() {
    let db = Database::postgres();
    let store = db.store().await;
    let pool = PgPool::connect(&db.url).await.unwrap();
    let insert = format!(
        "INSERT INTO {}.revocation_log (kind, key, generation, expires_at) VALUES ('subject', $1, 7, now() + interval '1 h')",
        db.schema
    );
    let insert = || sqlx::AssertSqlSafe(insert.clone());
    let (mut cursor, mut parts) = (Cursor::default(), PageCursor::default());
    let mut open = Vec::new();
    for key in ["x", "y", "z"] {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query(insert()).bind(key).execute(&mut *tx).await.unwrap();
        open.push((key, tx));
        tell(&store, &format!("after {key}")).await;
        assert_eq!(read(&store, &mut cursor).await, [format!("after {key}")]);
        read_parts(&store, &mut parts).await;
    }
    for turn in [1, 1, 0] {
        let (key, tx) = open.remove(turn);
        tx.commit().await.unwrap();
        assert_eq!(read(&store, &mut cursor).await, [key], "late, and once");
        assert!(read_parts(&store, &mut parts).await.contains(key));
        assert!(read(&store, &mut cursor).await.is_empty());
    }
    // One that rolls back never comes.
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(insert())
        .bind("never")
        .execute(&mut *tx)
        .await
        .unwrap();
    assert!(read(&store, &mut cursor).await.is_empty());
    tx.rollback().await.unwrap();
    assert!(read(&store, &mut cursor).await.is_empty());
}
