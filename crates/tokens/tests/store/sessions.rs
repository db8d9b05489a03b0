//! Sessions as their user sees them, and what a password change does to them.

use gatepost_tokens::{EndReason, Grant, NewSession, Refused, Rotation, ServiceError};

use crate::databases::{Database, Instance, Instances as _, on_both};

on_both!(
    a_user_sees_and_ends_own_sessions_only,
    after_a_password_change_this_session_goes_on_and_every_older_token_is_dead,
    no_token_stands_in_the_table,
);

async fn begin(at: &Instance, subject: &'static str, agent: &str) -> Result<Grant, ServiceError> {
    let (service, agent) = (at.service.clone(), agent.to_owned());
    at.store
        .run_tx("login", move |tx| {
            let new = NewSession {
                user_agent: Some(agent.clone()),
                ip: Some("192.0.2.7".into()),
            };
            let service = service.clone();
            Box::pin(async move { service.start_session_in(tx, subject, new).await })
        })
        .await
}

async fn a_user_sees_and_ends_own_sessions_only(db: Database) {
    let at = db.instance().await;
    let phone = begin(&at, "me", &"Phone ".repeat(100)).await.unwrap();
    at.step(10);
    let desk = begin(&at, "me", "Desk\r\nX: y").await.unwrap();
    let other = begin(&at, "other", "x").await.unwrap();
    let sessions = at.service.sessions("me").await.unwrap();
    assert_eq!(
        sessions.iter().map(|session| session.id).collect::<Vec<_>>(),
        [desk.sid, phone.sid]
    );
    assert_eq!(sessions[0].user_agent.as_deref(), Some("DeskX: y"));
    assert_eq!(sessions[1].user_agent.as_ref().unwrap().len(), 255);
    assert_eq!(sessions[1].ip.as_deref(), Some("192.0.2.7"));

    let service = at.service.clone();
    let end = |sid| {
        let service = service.clone();
        at.store.run_tx("end", move |tx: &mut gatepost_storage::Tx<'_>| {
            let service = service.clone();
            Box::pin(async move {
                service
                    .end_session_in(tx, Some("me"), sid, EndReason::Revoked)
                    .await
            })
        })
    };
    assert!(!end(other.sid).await.unwrap(), "not mine");
    assert!(end(phone.sid).await.unwrap());
    assert_eq!(at.service.sessions("me").await.unwrap().len(), 1);
    assert!(at.service.check_access(&other.access).await.is_ok());
    assert!(begin(&at, "", "x").await.is_err(), "nobody has no name");
    assert_eq!(at.service.sessions("").await.unwrap().len(), 0);
}

async fn after_a_password_change_this_session_goes_on_and_every_older_token_is_dead(db: Database) {
    let at = db.instance().await;
    let first = begin(&at, "me", "here").await.unwrap();
    let here = at.granted(&first.refresh).await;
    let elsewhere = begin(&at, "me", "elsewhere").await.unwrap();
    let (service, sid) = (at.service.clone(), here.sid);
    let renewed: Result<Option<Grant>, ServiceError> = at
        .store
        .run_tx("change password", move |tx| {
            let service = service.clone();
            Box::pin(async move { service.renew_session_in(tx, "me", sid).await })
        })
        .await;
    let renewed = renewed.unwrap().unwrap();

    for dead in [&first, &here, &elsewhere] {
        assert_eq!(
            at.service.check_access(&dead.access).await.unwrap_err(),
            Refused::Revoked
        );
        assert_eq!(
            at.rotate(&dead.refresh).await,
            Rotation::Refused(Refused::Revoked),
            "not even to ask again"
        );
    }
    let (service, old) = (at.service.clone(), here.refresh.clone());
    let ended: Result<bool, ServiceError> = at
        .store
        .run_tx("log out with an old token", move |tx| {
            let (service, old) = (service.clone(), old.clone());
            Box::pin(async move { service.revoke_token_in(tx, &old).await })
        })
        .await;
    assert!(!ended.unwrap(), "a dead token ends nothing");
    assert!(at.service.check_access(&renewed.access).await.is_ok());
    let sessions = at.service.sessions("me").await.unwrap();
    assert_eq!(
        sessions.iter().map(|session| session.id).collect::<Vec<_>>(),
        [sid]
    );
    let next = at.granted(&renewed.refresh).await;
    assert!(at.service.check_access(&next.access).await.is_ok());
}

async fn no_token_stands_in_the_table(db: Database) {
    let at = db.instance().await;
    let first = begin(&at, "me", "here").await.unwrap();
    let grant = at.granted(&first.refresh).await;
    let row = at
        .store
        .read("row", |tx| {
            Box::pin(async move { gatepost_storage::sessions::get(tx, first.sid).await })
        })
        .await
        .unwrap();
    let shown = format!("{:?} {grant:?}", row.unwrap());
    for raw in [&first.refresh, &first.access, &grant.refresh, &grant.access] {
        assert!(
            !shown.contains(raw.rsplit('.').next().unwrap()),
            "a signature is enough to make the token again"
        );
    }
}
