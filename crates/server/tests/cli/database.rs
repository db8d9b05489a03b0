//! `gatepost migrate` and `backup`, and databases that are away or too old.

use std::os::unix::fs::PermissionsExt;

use crate::place::{Place, on_both};

on_both!(migrating_is_told_and_done_once);

fn migrating_is_told_and_done_once(place: &Place) {
    let status = place.run(&["--json", "migrate", "--status"]);
    assert_eq!(status.code, 1, "an empty database has something to be done");
    assert!(
        !place.run(&["--json", "migrate"]).json()["applied"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(place.run(&["migrate"]).good(), "the database is up to date");
    assert_eq!(place.run(&["--json", "migrate", "--status"]).json()["pending"], 0);
}

#[test]
fn a_database_that_is_away_is_3_and_says_where_to_look() {
    let mut place = Place::sqlite();
    place.set("GATEPOST__STORAGE__URL", "postgres://nobody@127.0.0.1:1/none");
    place.run(&["user", "list"]).refused(3, "storage.url");
}

#[tokio::test]
async fn an_older_postgres_waits_for_migrate() {
    use gatepost_storage::{Set, Store, StoreOptions};
    let mut place = Place::postgres();
    let schema = format!("cli_older_{}", std::process::id());
    place.set("GATEPOST__STORAGE__SCHEMA", &schema);
    let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").unwrap();
    let store = Store::open(
        &url,
        StoreOptions {
            schema,
            ..StoreOptions::default()
        },
    )
    .await
    .unwrap();
    store.migrate(&[Set::Tokens]).await.unwrap();
    store.close().await;
    place.run(&["user", "list"]).refused(1, "gatepost migrate");
    place
        .run(&["token", "validate", "x"])
        .refused(1, "gatepost migrate");
    place.run(&["migrate"]).good();
    place.run(&["user", "list"]).good();
}

#[test]
fn a_backup_is_whole_private_and_overwrites_nothing() {
    let place = Place::sqlite();
    place.run(&["backup", "copy.db"]).refused(1, "no database");
    place
        .run_with(
            "a-quite-fine Passw0rd of mine",
            &["user", "create", "ann@example.com"],
        )
        .good();
    place.run(&["backup", "copy.db"]).good();
    let mode = std::fs::metadata(place.path("copy.db"))
        .unwrap()
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    place.run(&["backup", "copy.db"]).refused(1, "exists");

    // The copy is the database: its users are there, with the secret beside it.
    let mut other = Place::sqlite();
    let url = format!("sqlite://{}", place.path("copy.db").display());
    other.set("GATEPOST__STORAGE__URL", &url);
    other.set(
        "GATEPOST__TOKENS__SECRET_FILE",
        place.path("gatepost-data/secret").to_str().unwrap(),
    );
    assert!(other.run(&["user", "list"]).good().contains("ann@example.com"));
    // With another secret it is refused: what is sealed in it could not be opened.
    let mut wrong = Place::sqlite();
    wrong.set("GATEPOST__STORAGE__URL", &url);
    wrong.run(&["token", "validate", "x"]).refused(1, "key adopt");
    // Unless it is accepted on purpose.
    wrong.run(&["key", "adopt"]).refused(2, "--yes");
    wrong.run(&["key", "adopt", "--yes"]).good();
    wrong
        .run(&["token", "validate", "x"])
        .refused(1, "token_malformed");
    other
        .run(&["token", "validate", "x"])
        .refused(1, "another secret");
}

#[test]
fn postgres_is_not_copied_by_backup() {
    Place::postgres()
        .run(&["backup", "copy.db"])
        .refused(2, "pg_dump");
}
