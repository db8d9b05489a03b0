//! Inside the caller's own transaction, on the caller's own pool.

use gatepost_tokens::{Activate, NewSession, Refused, Rotation, TokenService};
use sqlx::{PgPool, SqlitePool};

use crate::databases::{Database, Instances as _};

/// One body for both pools: the caller's code knows which database it is on, ours does not care.
macro_rules! on_own_pool {
    ($name:ident, $database:ident, $pool:ty) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let db = Database::$database();
            let at = db.instance().await;
            let pool = <$pool>::connect(&db.url).await.unwrap();
            let raw = at.service.create::<Activate>(42).await.unwrap().raw;

            let mut tx = pool.begin().await.unwrap();
            let user: i64 = at
                .service
                .verify::<Activate>(&mut *tx, &raw)
                .await
                .unwrap()
                .subject()
                .unwrap();
            assert_eq!(user, 42);
            tx.rollback().await.unwrap();

            // In a task, as a handler would be: the futures can be sent.
            let (service, own, token): (TokenService, $pool, String) =
                (at.service.clone(), pool.clone(), raw.clone());
            let grant = tokio::spawn(async move {
                let mut tx = own.begin().await.unwrap();
                service.verify::<Activate>(&mut *tx, &token).await.unwrap();
                let grant = service
                    .start_session(&mut *tx, 42, NewSession::default())
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                grant
            })
            .await
            .unwrap();

            let mut tx = pool.begin().await.unwrap();
            let again = at
                .service
                .verify::<Activate>(&mut *tx, &raw)
                .await
                .unwrap_err();
            assert_eq!(again, Refused::Used);
            assert_eq!(at.service.revoke_all(&mut *tx, "42").await.unwrap(), 1);
            drop(tx);
            let grant = at.granted(&grant.refresh).await;

            let mut tx = pool.begin().await.unwrap();
            assert_eq!(at.service.revoke_all(&mut *tx, "42").await.unwrap(), 1);
            tx.commit().await.unwrap();
            crate::revocation::refused_soon(&at, &grant.access).await;
            assert_eq!(
                at.rotate(&grant.refresh).await,
                Rotation::Refused(Refused::Revoked)
            );
        }
    };
}

on_own_pool!(of_sqlite, sqlite, SqlitePool);
on_own_pool!(of_postgres, postgres, PgPool);
