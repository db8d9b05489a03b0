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
