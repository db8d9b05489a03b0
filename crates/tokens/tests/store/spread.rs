//! The news reaches every instance though no broadcast does, however late it is written, and a used token is used for
//! the functions in SQL as well.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::{Clock, Set, Store, StoreOptions};
use gatepost_tokens::testing::keys;
use gatepost_tokens::{Activate, Refused, TokenService, Tokens};
use sqlx::PgPool;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::databases::{Database, Instances as _};
use crate::revocation::refused_soon;

/// What a transaction pooler does to `LISTEN`, or a network that swallows: notifications never come. Here they are
/// waited for in another database of the same server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_broadcast_the_news_takes_less_than_a_second() {
    let db = Database::postgres();
    let here = db.instance().await;
    let (address, _) = db.url.rsplit_once('/').unwrap();
    let options = StoreOptions {
        schema: db.schema.clone(),
        listen_url: Some(format!("{address}/template1")),
        clock: here.clock.clock(),
        ..StoreOptions::default()
    };
    let store = Store::open(&db.url, options).await.unwrap();
    let deaf = crate::databases::Instance {
        service: TokenService::new(Tokens::new(keys()), &store),
        clock: here.clock.clone(),
        store,
    };
    let revocations = deaf.service.revocations().clone();
    let poller = tokio::spawn(async move { revocations.run_until(std::future::pending::<()>()).await });
    let mut heard = deaf.store.subscribe(gatepost_storage::revocation_log::TOPIC);
    tokio::time::sleep(Duration::from_millis(300)).await;
    heard.forget();
    for _ in 0..20 {
        let grant = here.login("u").await;
        assert!(deaf.service.check_access(&grant.access).await.is_ok());
        assert!(here.logout(&grant).await);
        refused_soon(&deaf, &grant.access).await;
    }
    let told = tokio::time::timeout(Duration::ZERO, heard.wait()).await;
    assert!(told.is_err(), "it was told after all");
    poller.abort();
}

/// A batch job whose transaction stays open holds nobody up, and makes nobody read the same again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_transaction_that_stays_open_news_is_read_once() {
    let db = Database::postgres();
    let (here, there) = (db.instance().await, db.instance().await);
    let pool = PgPool::connect(&db.url).await.unwrap();
    let mut open = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()")
        .execute(&mut *open)
        .await
        .unwrap();
    for _ in 0..5 {
        let grant = here.login("u").await;
        assert!(here.logout(&grant).await);
        refused_soon(&there, &grant.access).await;
    }
    let mut news = there.service.revocations().subscribe();
    news.mark_unchanged();
    let good = here.login("u").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert!(there.service.check_access(&good.access).await.is_ok());
    }
    assert!(!news.has_changed().unwrap(), "what is known is no news");
    assert_eq!(there.service.revocations().len(), 5);
    open.rollback().await.unwrap();
}

/// Callers of `gatepost.use_token` and of the program race for the same tokens: one wins each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_callers_in_sql_and_in_the_program_one_uses_a_token() {
    const CALLERS: usize = 16;
    let db = Database::postgres();
    let store = db.open(&Set::ALL, Clock::system()).await;
    let service = TokenService::new(Tokens::new(keys()), &store);
    let pool = PgPool::connect(&db.url).await.unwrap();
    let call = Arc::new(format!(
        "SELECT {}.use_token($1, now() + interval '30 minutes')",
        db.schema
    ));
    for round in 0..20 {
        let raw = service.create::<Activate>("u").await.unwrap().raw;
        let jti = service.tokens().check::<Activate>(&raw).unwrap().jti.clone();
        let line = Arc::new(Barrier::new(CALLERS));
        let mut callers = JoinSet::new();
        for nth in 0..CALLERS {
            let (line, raw, jti) = (Arc::clone(&line), raw.clone(), jti.clone());
            let (service, store) = (service.clone(), store.clone());
            let (pool, call) = (pool.clone(), Arc::clone(&call));
            callers.spawn(async move {
                if nth % 2 == 0 {
                    let mut conn = pool.acquire().await.unwrap();
                    line.wait().await;
                    let (won,): (bool,) = sqlx::query_as(sqlx::AssertSqlSafe(call.as_str().to_owned()))
                        .bind(jti)
                        .fetch_one(&mut *conn)
                        .await
                        .unwrap();
                    return won;
                }
                line.wait().await;
                let used: Result<_, Refused> = store
                    .run_tx("use", move |tx| {
                        let (service, raw) = (service.clone(), raw.clone());
                        Box::pin(async move { service.verify_in::<Activate>(tx, &raw).await })
                    })
                    .await;
                match used {
                    Ok(_) => true,
                    Err(Refused::Used) => false,
                    Err(other) => panic!("{other}"),
                }
            });
        }
        let all = callers.join_all().await;
        let winners = all.iter().filter(|won| **won).count();
        assert_eq!(winners, 1, "round {round}: {all:?}");
        assert_eq!(service.peek::<Activate>(&raw).await.unwrap_err(), Refused::Used);
    }
}
