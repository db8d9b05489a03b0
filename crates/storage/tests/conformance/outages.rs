//! A database that can't write now is not available: nobody's rows are to blame, and the same call may succeed later.

use std::str::FromStr;

use gatepost_storage::{Error, Set, Store, StoreOptions, blacklist};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::databases::{Database, Stores as _};

async fn write(store: &Store, jti: &str) -> Result<bool, Error> {
    let jti = jti.to_owned();
    store
        .run_tx("write", move |tx| {
            let jti = jti.clone();
            Box::pin(async move {
                let until = tx.now();
                blacklist::insert(tx, &jti, "used", until).await
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_an_outage_that_ends() {
    let database = Database::sqlite();
    let room = |pages: &str| {
        SqliteConnectOptions::from_str(&database.url)
            .unwrap()
            .create_if_missing(true)
            .pragma("max_page_count", pages.to_owned())
    };
    let roomy = Store::open(&database.url, StoreOptions::default()).await.unwrap();
    roomy.migrate(&[Set::Tokens]).await.unwrap();
    assert!(write(&roomy, "before").await.unwrap());

    // No file is let grow below what it has: this one is full.
    let full = Store::sqlite(SqlitePoolOptions::new().connect_lazy_with(room("1")));
    let filling = "x".repeat(200_000);
    let error = write(&full, &filling).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    assert!(write(&roomy, &filling).await.unwrap(), "nothing was left of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_an_outage() {
    let database = Database::postgres();
    let store = database.store().await;
    store.migrate(&[Set::Tokens]).await.unwrap();
    // As the old one does after a failover.
    let reading = PgConnectOptions::from_str(&database.url)
        .unwrap()
        .options([("default_transaction_read_only", "on")]);
    let standby = Store::postgres(PgPoolOptions::new().connect_lazy_with(reading))
        .with_schema(&database.schema)
        .unwrap();
    let error = write(&standby, "a").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(write(&store, "a").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_nobody_listens_is_told_with_its_cause() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://gatepost@{free}/nothing");
    let error = Store::open(&url, StoreOptions::default()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

/// One statement that writes, without a transaction around it.
async fn write_one(store: &Store, jti: &str) -> Result<bool, Error> {
    let jti = jti.to_owned();
    store
        .run_one("write", move |tx| {
            let jti = jti.clone();
            Box::pin(async move {
                let until = tx.now();
                blacklist::insert(tx, &jti, "used", until).await
            })
        })
        .await
}

async fn is_there(store: &Store, jti: &str) -> Result<bool, Error> {
    let jti = jti.to_owned();
    store
        .read("look", move |tx| {
            Box::pin(async move { Ok(blacklist::reason(tx, &jti).await?.is_some()) })
        })
        .await
}

/// Cuts all of a store's connections at the server, right after they were used. Nobody is told of it, however many there
/// were: what had not begun is begun on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_died_at_rest_are_nobodys_trouble() {
    let database = Database::postgres();
    database.store().await.close().await;
    let cut = PgPoolOptions::new().connect(&database.url).await.unwrap();
    // By a role of its own, so that its connections are told from the other tests'.
    let role = format!("{}_cut", database.schema);
    let make = format!("CREATE ROLE {role} SUPERUSER LOGIN");
    sqlx::query(sqlx::AssertSqlSafe(make))
        .execute(&cut)
        .await
        .unwrap();
    let (_, address) = database.url.split_once('@').unwrap();
    let options = StoreOptions {
        schema: database.schema.clone(),
        ..StoreOptions::default()
    };
    let store = Store::open(&format!("postgres://{role}@{address}"), options)
        .await
        .unwrap();
    for round in 0..5 {
        // As many as it may have.
        let all: Vec<_> = (0..10)
            .map(|n| {
                let (store, jti) = (store.clone(), format!("use-{round}-{n}"));
                tokio::spawn(async move { write(&store, &jti).await.unwrap() })
            })
            .collect();
        for one in all {
            assert!(one.await.unwrap());
        }
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE usename = $1",
        )
        .bind(&role)
        .fetch_one(&cut)
        .await
        .unwrap();
        assert!(ended > 0);
        let jti = format!("after-{round}");
        match round % 3 {
            0 => assert!(write(&store, &jti).await.unwrap()),
            1 => assert!(write_one(&store, &jti).await.unwrap()),
            _ => assert!(!is_there(&store, &jti).await.unwrap()),
        }
    }
    store.close().await;
    let drop = format!("DROP ROLE {role}");
    sqlx::query(sqlx::AssertSqlSafe(drop))
        .execute(&cut)
        .await
        .unwrap();
}

/// Callers that leave in the middle of a transaction leave its connection in the middle of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_left_in_a_transaction_is_used_for_others_only_without_it() {
    let database = Database::postgres();
    let store = database.store().await;
    for n in 0..40_u64 {
        let (left, jti) = (store.clone(), format!("left-{n}"));
        let caller = tokio::spawn(async move {
            left.run_tx("left", move |tx| {
                let jti = jti.clone();
                Box::pin(async move {
                    let until = tx.now();
                    blacklist::insert(tx, &jti, "used", until).await?;
                    std::future::pending::<()>().await;
                    Ok::<_, Error>(())
                })
            })
            .await
        });
        tokio::time::sleep(std::time::Duration::from_micros(n * 100)).await;
        caller.abort();
        let _ = caller.await;
        let jti = format!("kept-{n}");
        if n % 2 == 0 {
            assert!(write_one(&store, &jti).await.unwrap());
        } else {
            assert!(write(&store, &jti).await.unwrap());
        }
        // By others, who see only what was committed.
        let other = database.store().await;
        assert!(is_there(&other, &jti).await.unwrap());
        assert!(!is_there(&other, &format!("left-{n}")).await.unwrap());
        other.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_what_is_under_way_and_leaves_no_connection() {
    let database = Database::postgres();
    let (store, name) = (database.store().await, "closing_waits");
    assert!(write(&store, name).await.unwrap());
    let busy = store.clone();
    let under_way = tokio::spawn(async move {
        busy.run_tx("slow", |tx| {
            Box::pin(async move {
                let until = tx.now();
                blacklist::insert(tx, "slow", "used", until).await?;
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                Ok::<_, Error>(())
            })
        })
        .await
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    store.close().await;
    under_way.await.unwrap().unwrap();
    assert!(write(&store, "late").await.is_err(), "it is closed");
    assert!(is_there(&database.store().await, "slow").await.unwrap());
}
