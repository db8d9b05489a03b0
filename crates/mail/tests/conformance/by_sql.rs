//! Mail that other programs ask for inside their own transactions, by SQL.

use gatepost_messaging::Queues;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use uuid::Uuid;

use crate::databases::Database;
use crate::rig::Rig;

/// The functions are part of the server's tables.
async fn rig() -> Rig {
    let rig = Rig::new(Database::postgres()).await;
    rig.store.migrate(&gatepost_storage::Set::ALL).await.unwrap();
    rig
}

async fn enqueue(rig: &Rig, conn: &mut PgConnection, arguments: &str) -> Uuid {
    let sql = format!("SELECT \"{}\".enqueue_mail({arguments})", rig.db.schema);
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(conn).await.unwrap();
    row.get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_sent_if_and_only_if_the_transaction_commits() {
    let rig = rig().await;
    let mut conn = PgConnection::connect(&rig.db.url).await.unwrap();
    let body = "'{\"to_email\": \"anna@example.com\", \"template_data\": {\"title\": \"T\", \"message\": \"A word\"}}'";

    let mut tx = conn.begin().await.unwrap();
    enqueue(&rig, &mut tx, body).await;
    tx.rollback().await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let id = enqueue(&rig, &mut tx, body).await;
    rig.work().await;
    assert_eq!(rig.sink.received().len(), 0, "not committed yet");
    tx.commit().await.unwrap();
    assert_eq!(rig.state(id).await, "waiting");

    rig.work().await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
    assert_eq!(rig.sink.received().len(), 1);
    assert_eq!(rig.events(id).await, ["queued", "sending", "sent"]);
    assert_eq!(rig.show(id).await.delivery.to.as_deref(), Some("a***@e***.com"));
    assert_eq!(rig.queued().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_told_in_the_ledger_and_kept() {
    let rig = rig().await;
    let mut conn = PgConnection::connect(&rig.db.url).await.unwrap();
    let to = "'{\"to_email\": \"anna@example.com\"}'";
    let no_template = enqueue(&rig, &mut conn, &format!("{to}, 'no_such_template'")).await;
    let reserved = enqueue(
        &rig,
        &mut conn,
        &format!("{to}, 'reset_password', '{{\"link\": \"x\"}}'"),
    )
    .await;
    let no_address = enqueue(
        &rig,
        &mut conn,
        "'{\"to_email\": \"no body@example.com\", \"template_data\": {\"message\": \"m\"}}'",
    )
    .await;
    rig.work().await;
    for (id, why) in [
        (no_template, "no_such_template"),
        (reserved, "account letters"),
        (no_address, "to_email"),
    ] {
        let delivery = rig.delivery(id).await;
        let reply = delivery.reply.unwrap_or_default();
        assert!(delivery.state == "failed" && reply.contains(why), "{reply}");
        let dead = Queues::new(&rig.store)
            .dead_letters("gatepost.mail.requests", None, 10)
            .await
            .unwrap();
        assert!(dead.iter().any(|letter| letter.id == id));
    }
    assert_eq!(rig.sink.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_right_goes_out_when_it_is_put_back_or_sent_again() {
    let rig = rig().await;
    let mut conn = PgConnection::connect(&rig.db.url).await.unwrap();
    let to = "'{\"to_email\": \"anna@example.com\"}'";
    let data = "'{\"title\": \"T\", \"message\": \"A word\"}'";
    let first = enqueue(&rig, &mut conn, &format!("{to}, 'to_come', {data}")).await;
    let second = enqueue(&rig, &mut conn, &format!("{to}, 'to_come', {data}")).await;
    rig.work().await;
    for id in [first, second] {
        assert_eq!(rig.state(id).await, "failed");
    }
    // Somebody makes the template that they ask for: here, the rows say the name of one that there is.
    let sql = format!(
        "UPDATE \"{}\".dead_letters SET body = convert_to(replace(convert_from(body, 'UTF8'), 'to_come', 'notification'), 'UTF8')",
        rig.db.schema
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();

    let queues = Queues::new(&rig.store);
    assert!(queues.replay("gatepost.mail.requests", first).await.unwrap());
    rig.work().await;
    assert_eq!((rig.state(first).await.as_str(), rig.copies(first)), ("sent", 1));
    assert_eq!(
        rig.events(first).await,
        ["queued", "failed", "replayed", "sending", "sent"]
    );

    let again = rig.resend(second).await.unwrap();
    rig.work().await;
    assert_eq!((rig.state(again).await.as_str(), rig.copies(again)), ("sent", 1));
    assert_eq!(rig.show(second).await.delivery.resent_as, Some(again));
    assert!(
        queues
            .dead_letters("gatepost.mail.requests", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}
