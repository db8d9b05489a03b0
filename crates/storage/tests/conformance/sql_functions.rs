//! What another program may do by plain SQL, inside a transaction of its own, as a role that may do just this.

use std::str::FromStr;

use gatepost_storage::testing::Database;
use gatepost_storage::{Clock, Set, Store, blacklist, deliveries, outbox};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use uuid::Uuid;

/// Our tables, and a program whose login is a member of `gatepost_client` and nothing else.
struct Guest {
    db: Database,
    store: Store,
    role: String,
}

impl Guest {
    async fn new() -> Self {
        let db = Database::postgres();
        let store = db.open(&Set::ALL, Clock::system()).await;
        let role = format!("guest_{}", db.schema);
        let guest = Self { db, store, role };
        guest
            .as_owner(&format!(
                "CREATE ROLE {} LOGIN PASSWORD 'guest' IN ROLE gatepost_client",
                guest.role
            ))
            .await;
        guest
    }

    async fn as_owner(&self, sql: &str) {
        let mut conn = PgConnection::connect(&self.db.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut conn)
            .await
            .unwrap();
    }

    async fn connect(&self) -> PgConnection {
        let options = PgConnectOptions::from_str(&self.db.url)
            .unwrap()
            .username(&self.role)
            .password("guest");
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// `SELECT` of one of our functions.
    async fn call<T>(&self, conn: &mut PgConnection, call: &str) -> Result<T, sqlx::Error>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let sql = format!("SELECT \"{}\".{call}", self.db.schema);
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(conn).await?;
        row.try_get(0)
    }

    async fn row(&self, id: Uuid) -> Option<outbox::OutboxRow> {
        self.store
            .read("row", move |tx| Box::pin(outbox::get(tx, id)))
            .await
            .unwrap()
    }

    async fn end(self) {
        self.store.close().await;
        self.as_owner(&format!(
            "DROP SCHEMA \"{}\" CASCADE; DROP ROLE {}",
            self.db.schema, self.role
        ))
        .await;
    }
}

fn code(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .map(|code| code.to_string())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_message_exists_if_and_only_if_the_callers_transaction_commits() {
    let guest = Guest::new().await;
    let mut conn = guest.connect().await;
    let publish = "publish('billing', '{\"order\": 7}', '{\"type\": \"order.paid\", \"tenant\": \"a\"}')";

    let mut tx = conn.begin().await.unwrap();
    let undone: Uuid = guest.call(&mut tx, publish).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(guest.row(undone).await.is_none());

    let mut tx = conn.begin().await.unwrap();
    let id: Uuid = guest.call(&mut tx, publish).await.unwrap();
    assert!(guest.row(id).await.is_none(), "not committed yet");
    tx.commit().await.unwrap();
    let row = guest.row(id).await.unwrap();
    assert_eq!((row.queue.as_str(), row.kind.as_str()), ("billing", "order.paid"));
    assert_eq!(
        row.headers.0.into_iter().collect::<Vec<_>>(),
        [("tenant".into(), "a".into())]
    );
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&row.body).unwrap(),
        serde_json::json!({"order": 7})
    );
    assert_eq!(id.get_version_num(), 7);
    assert!(row.visible_at <= guest.store.now());
    guest.end().await;
}

#[tokio::test]
async fn what_no_broker_takes_is_refused_where_it_is_published() {
    let guest = Guest::new().await;
    let mut conn = guest.connect().await;
    for (call, sqlstate) in [
        ("publish('', '{}', NULL)", "22023"),
        ("publish(repeat('q', 201), '{}', NULL)", "22023"),
        ("publish(E'a\\nb', '{}', NULL)", "22023"),
        ("publish('q', NULL, NULL)", "22023"),
        ("publish('q', '{}', '[1]')", "22023"),
        ("publish('q', '{}', '{\"n\": 1}')", "22023"),
        // Whoever could write there could make account letters.
        ("publish('gatepost.mail', '{}', NULL)", "42501"),
        ("publish('gatepost.accounts', '{}', NULL)", "42501"),
        (
            "enqueue_mail('{\"template_data\": {\"message\": \"m\"}}')",
            "22023",
        ),
        ("enqueue_mail('{\"to_email\": \"a@b.co\"}')", "22023"),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template_data\": {\"message\": \"m\"}}', \
             expires_at => now() - interval '1 s')",
            "22023",
        ),
        // Each of these would only be found out by who wonders why nothing arrives.
        (
            "enqueue_mail('{\"to_email\": \"nobody\", \"template_data\": {\"message\": \"m\"}}')",
            "22023",
        ),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template_data\": {\"message\": \"m\"}, \
             \"expires_at\": \"2020-01-01T00:00:00Z\"}')",
            "22023",
        ),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template_data\": {\"message\": \"m\"}, \
             \"expires_at\": \"tomorrow-ish\"}')",
            "22023",
        ),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template_data\": {\"message\": \"m\"}}', 'invoice')",
            "22023",
        ),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template_data\": {\"message\": \"m\"}}', data => '{\"n\": 1}')",
            "22023",
        ),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\"}', 'invoice', '[1]')",
            "22023",
        ),
        ("use_token('j', 'infinity')", "22023"),
        ("use_token(NULL, now())", "22023"),
        ("use_token('j', NULL)", "22023"),
        ("new_message_id()", "42501"),
    ] {
        let refused = guest.call::<Uuid>(&mut conn, call).await.unwrap_err();
        assert_eq!(code(&refused), sqlstate, "{call}: {refused}");
    }
    guest.end().await;
}

#[tokio::test]
async fn the_role_may_do_just_these() {
    let guest = Guest::new().await;
    let mut conn = guest.connect().await;
    for table in [
        "outbox",
        "deliveries",
        "blacklist",
        "users",
        "dead_letters",
        "settings",
        "keys",
        "migrations",
    ] {
        for sql in [
            format!("SELECT * FROM \"{}\".{table}", guest.db.schema),
            format!("DELETE FROM \"{}\".{table}", guest.db.schema),
        ] {
            let refused = sqlx::query(AssertSqlSafe(sql.clone()))
                .execute(&mut conn)
                .await
                .unwrap_err();
            assert_eq!(code(&refused), "42501", "{sql}: {refused}");
        }
    }
    // And nobody else may do these.
    guest
        .as_owner(&format!("REVOKE gatepost_client FROM {}", guest.role))
        .await;
    for call in [
        "publish('q', '{}', NULL)",
        "use_token('j', now())",
        "enqueue_mail('{}')",
    ] {
        let refused = guest.call::<Uuid>(&mut conn, call).await.unwrap_err();
        assert_eq!(code(&refused), "42501", "{call}: {refused}");
    }
    guest.end().await;
}

#[tokio::test]
async fn what_is_null_is_not_given_and_what_never_expires_has_no_expiry() {
    let guest = Guest::new().await;
    let mut conn = guest.connect().await;
    for (call, template, data) in [
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template_data\": null, \"expires_at\": null}', 'invoice', \
             '{\"n\": null}', expires_at => 'infinity')",
            "invoice",
            serde_json::json!({"n": null}),
        ),
        (
            "enqueue_mail('{\"to_email\": \"a@b.co\", \"template\": \"invoice\"}', data => '{\"n\": 7}')",
            "invoice",
            serde_json::json!({"n": 7}),
        ),
        (
            "enqueue_mail('{\"to_email\": \"Ann <a@b.co>\", \"template\": null, \"template_data\": {\"message\": \"m\"}}')",
            "notification",
            serde_json::Value::Null,
        ),
    ] {
        let id: Uuid = guest.call(&mut conn, call).await.unwrap();
        let row = guest.row(id).await.unwrap();
        let request: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
        assert_eq!(request["data"], data, "{call}");
        assert!(request.get("expires_at").is_none(), "{call}");
        let delivery = guest
            .store
            .read("delivery", move |tx| Box::pin(deliveries::get(tx, id)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (delivery.template.as_str(), delivery.expires_at),
            (template, None)
        );
    }
    guest.end().await;
}

#[tokio::test]
async fn a_mail_stands_in_the_ledger_at_once_and_is_said_once_for_a_key() {
    let guest = Guest::new().await;
    let mut conn = guest.connect().await;
    let call = "enqueue_mail('{\"to_email\": \"anna@shop.example\"}', 'invoice', '{\"n\": 1}', 'ru', 'invoice-1', \
                now() + interval '1 hour')";
    let id: Uuid = guest.call(&mut conn, call).await.unwrap();
    let again: Uuid = guest.call(&mut conn, call).await.unwrap();
    assert_eq!(id, again);
    let delivery = guest
        .store
        .read("delivery", move |tx| Box::pin(deliveries::get(tx, id)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            delivery.state.as_str(),
            delivery.template.as_str(),
            delivery.recipient.as_deref()
        ),
        ("waiting", "invoice", Some("a***@s***.example"))
    );
    let row = guest.row(id).await.unwrap();
    assert_eq!(row.queue, "gatepost.mail.requests");
    let request: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
    assert_eq!(request["template"], "invoice");
    assert_eq!(request["data"]["n"], 1);
    assert_eq!(request["locale"], "ru");
    assert!(request["expires_at"].as_str().unwrap().ends_with('Z'));
    guest.end().await;
}

#[tokio::test]
async fn a_token_is_used_once_however_many_race() {
    let guest = Guest::new().await;
    let call = "use_token('jti-1', now() + interval '30 minutes')";
    let mut conn = guest.connect().await;
    let mut tx = conn.begin().await.unwrap();
    assert!(guest.call::<bool>(&mut tx, call).await.unwrap());
    tx.rollback().await.unwrap();

    let mut racing = Vec::new();
    for _ in 0..8 {
        racing.push(guest.connect().await);
    }
    let guest = std::sync::Arc::new(guest);
    let callers: Vec<_> = racing
        .into_iter()
        .map(|mut conn| {
            let guest = std::sync::Arc::clone(&guest);
            tokio::spawn(async move { guest.call::<bool>(&mut conn, call).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for caller in callers {
        won += usize::from(caller.await.unwrap());
    }
    assert_eq!(won, 1);
    let reason = guest
        .store
        .read("reason", |tx| Box::pin(blacklist::reason(tx, "jti-1")))
        .await
        .unwrap();
    assert_eq!(reason.as_deref(), Some("used"));
    drop(conn);
    std::sync::Arc::into_inner(guest).unwrap().end().await;
}
