//! `/api/events`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{PASSWORD, World};

/// What was told since `after`, and where to go on.
async fn events(world: &World, key: &str, after: &str) -> (Vec<Value>, String) {
    let path = format!("/api/events?limit=500&after={after}");
    let answer = world.get(&path, Some(key)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let items = answer.body["items"].as_array().unwrap().clone();
    (items, answer.text("next"))
}

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

async fn a_life(world: World) {
    let key = world.key(&["events:read"]).await;
    let id = world.account("ann@example.com").await.id;
    let (told, next) = events(&world, &key, "0").await;
    assert_eq!(
        types(&told),
        ["user.registered", "mail.sent", "user.activated", "mail.sent"]
    );
    assert_eq!(
        told[0]["data"],
        json!({"user_id": id}),
        "an address that nobody confirmed is nobody's business"
    );
    assert_eq!(told[1]["data"]["template"], "activate_account");
    assert_eq!(told[1]["data"]["user_id"], json!(id));
    assert_eq!(told[2]["data"]["email"], "ann@example.com");
    assert_eq!(told[3]["data"]["template"], "welcome");
    let ids: std::collections::BTreeSet<_> = told.iter().map(|event| event["id"].as_str()).collect();
    assert_eq!(ids.len(), 4);

    let (access, _) = world.log_in("ann@example.com", PASSWORD).await;
    let (_, refresh) = world.log_in("ann@example.com", PASSWORD).await;
    let changed = world
        .call(
            "PATCH",
            "/api/users/me",
            Some(&access),
            Some(&json!({"locale": "ru"})),
            &[],
        )
        .await;
    assert_eq!(changed.status, 200);
    let out = world
        .post("/api/auth/logout", None, &json!({"refresh": refresh}))
        .await;
    assert_eq!(out.status, 204);
    let (_, other) = world.log_in("ann@example.com", PASSWORD).await;
    let body = json!({"current": PASSWORD, "new": "wet stones under the moss"});
    let answer = world.post("/api/users/me/password", Some(&access), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let access = answer.text("access");
    drop(other);
    let (told, next) = events(&world, &key, &next).await;
    assert_eq!(
        types(&told),
        [
            "user.updated",
            "session.ended",
            "session.ended",
            "user.password_changed"
        ]
    );
    assert_eq!(told[0]["data"], json!({"user_id": id, "changed": ["locale"]}));
    assert_eq!(told[1]["data"]["reason"], "logout");
    assert_eq!(told[2]["data"]["reason"], "password_changed");
    assert_eq!(told[3]["data"]["how"], "changed");

    let body = json!({"password": "wet stones under the moss"});
    let gone = world
        .call("DELETE", "/api/users/me", Some(&access), Some(&body), &[])
        .await;
    assert_eq!(gone.status, 200, "{gone:?}");
    let (told, next) = events(&world, &key, &next).await;
    assert_eq!(types(&told), ["session.ended", "user.deleted"]);
    world.run_pending().await;
    let (_, next) = events(&world, &key, &next).await;
    let (told, same) = events(&world, &key, &next).await;
    assert!(told.is_empty());
    assert_eq!(next, same);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_told_in_order() {
    a_life(World::with(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_is_told_in_order_on_postgres() {
    a_life(World::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_away_for_too_long_is_told_so() {
    let world = World::with(&[]).await;
    let key = world.key(&["events:read"]).await;
    world.account("ann@example.com").await;
    let part = world.get("/api/events?limit=1", Some(&key)).await;
    let early = part.text("next");
    world.advance(Duration::from_secs(7 * 86_400 + 1));
    world.sweep().await;
    let path = format!("/api/events?after={early}");
    let answer = world.get(&path, Some(&key)).await;
    assert_eq!((answer.status, answer.code()), (410, "cursor_expired"));
    let answer = world.get("/api/events", Some(&key)).await;
    assert_eq!(
        (answer.status, answer.body["items"].as_array().unwrap().len()),
        (200, 0)
    );
    for bad in ["-1", "x", "1.5"] {
        let answer = world.get(&format!("/api/events?after={bad}"), Some(&key)).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_was_never_given_is_nobodys_place() {
    let world = World::with(&[]).await;
    let key = world.key(&["events:read"]).await;
    let first = world.get("/api/events?after=0", Some(&key)).await;
    assert_eq!(first.status, 200, "there is nothing yet: {first:?}");
    world.account("ann@example.com").await;
    let (_, next) = events(&world, &key, "0").await;
    let last = world.get(&format!("/api/events?after={next}"), Some(&key)).await;
    assert_eq!((last.status, last.text("next")), (200, next.clone()));
    // As after a backup was put back: who waits for this number to come would miss all that happens until then.
    let ahead = next.parse::<i64>().unwrap() + 1;
    let answer = world.get(&format!("/api/events?after={ahead}"), Some(&key)).await;
    assert_eq!((answer.status, answer.code()), (410, "cursor_expired"));
}
