//! What no living token needs is forgotten, and nothing else.

use gatepost_tokens::{Access, Activate, Refused, ServiceError};

use crate::databases::{Database, Instances as _, on_both};

on_both!(
    tables_shrink_to_what_is_alive,
    a_generation_is_forgotten_only_when_no_older_token_can_live
);

async fn tables_shrink_to_what_is_alive(db: Database) {
    let at = db.instance().await;
    let service = at.service.clone();
    for user in 0..25 {
        let raw = service.create::<Activate>(user).await.unwrap().raw;
        let service = service.clone();
        let used: Result<_, Refused> = at
            .store
            .run_tx("use", move |tx| {
                let (service, raw) = (service.clone(), raw.clone());
                Box::pin(async move { service.verify_in::<Activate>(tx, &raw).await })
            })
            .await;
        used.unwrap();
        let grant = at.login(&user.to_string()).await;
        at.logout(&grant).await;
    }
    let nothing = service.sweep().await.unwrap();
    assert_eq!(nothing, gatepost_tokens::Swept::default());
    assert_eq!(service.blacklist_count().await.unwrap(), (25, 0));
    at.step(1800);
    assert_eq!(service.blacklist_count().await.unwrap(), (25, 25));
    assert_eq!(service.sweep().await.unwrap().blacklist, 25);
    at.step(1860);
    assert_eq!(service.sweep().await.unwrap().revocations, 25);
    at.step(8 * 86_400);
    assert_eq!(service.sweep().await.unwrap().sessions, 25);
    assert_eq!(service.sweep().await.unwrap(), gatepost_tokens::Swept::default());
}

async fn a_generation_is_forgotten_only_when_no_older_token_can_live(db: Database) {
    let at = db.instance().await;
    at.revoke_all("u").await;
    at.step(366 * 86_400);
    assert_eq!(at.service.sweep().await.unwrap().generations, 0);
    let old = at.service.create::<Access>("u").await.unwrap().raw;
    at.step(2 * 86_400);
    assert_eq!(at.service.sweep().await.unwrap().generations, 1);
    assert_eq!(at.service.check_access(&old).await.unwrap_err(), Refused::Expired);

    // Made while nothing is remembered; the next revocation stands above every number ever given out.
    let living = at.service.create::<Activate>("u").await.unwrap().raw;
    let service = at.service.clone();
    let voided: Result<(), ServiceError> = at
        .store
        .run_tx("void", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.void_in::<Activate>(tx, "u").await })
        })
        .await;
    voided.unwrap();
    assert_eq!(
        at.service.peek::<Activate>(&living).await.unwrap_err(),
        Refused::Revoked
    );
}
