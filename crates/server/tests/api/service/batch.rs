//! `POST /api/tokens/batch`.

use serde_json::{Value, json};

use crate::world::{World, on_both};

on_both!(
    each_item_ends_as_if_it_had_come_alone,
    each_item_takes_its_own_scope,
    what_cant_be_read_is_refused_as_a_whole,
);

const PATH: &str = "/api/tokens/batch";

async fn batch(world: &World, key: &str, items: Value) -> Vec<Value> {
    let answer = world.post(PATH, Some(key), &json!({ "items": items })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

async fn each_item_ends_as_if_it_had_come_alone(world: World) {
    let key = world.key(&["*"]).await;
    let made = batch(
        &world,
        &key,
        json!([
            { "op": "create", "user_id": "7", "purpose": "activate", "lifetime": "1h", "claims": { "plan": 1 } },
            { "op": "create", "user_id": "8", "purpose": "socket" },
            { "op": "create", "user_id": "9", "purpose": "nothing" },
        ]),
    )
    .await;
    assert_eq!(
        made.iter()
            .map(|one| one["status"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [201, 201, 422]
    );
    assert_eq!(made[2]["problem"]["code"], "validation_failed");
    assert!(made[2]["result"].is_null());
    let (one, two) = (&made[0]["result"]["token"], &made[1]["result"]["token"]);
    let done = batch(
        &world,
        &key,
        json!([
            { "op": "validate", "token": one },
            { "op": "verify", "token": one, "purpose": "socket" },
            { "op": "verify", "token": one, "purpose": "activate" },
            { "op": "verify", "token": one, "purpose": "activate" },
            { "op": "revoke", "user_id": "8" },
            { "op": "validate", "token": two },
            { "op": "revoke", "token": "nonsense" },
            { "op": "revoke" },
        ]),
    )
    .await;
    let told: Vec<_> = done
        .iter()
        .map(|one| {
            (
                one["status"].as_u64().unwrap(),
                one["problem"]["code"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (200, ""),
            (400, "token_wrong_purpose"),
            (200, ""),
            (400, "token_used"),
            (204, ""),
            (400, "token_revoked"),
            (204, ""),
            (422, "validation_failed"),
        ]
    );
    assert_eq!(
        (&done[0]["result"]["consumed"], &done[2]["result"]["consumed"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(done[0]["result"]["claims"], json!({ "plan": 1 }));
    assert_eq!(batch(&world, &key, json!([])).await.len(), 0);
}

async fn each_item_takes_its_own_scope(world: World) {
    let key = world.key(&["tokens:verify"]).await;
    let done = batch(
        &world,
        &key,
        json!([
            { "op": "create", "user_id": "7", "purpose": "activate" },
            { "op": "revoke", "user_id": "7" },
            { "op": "validate", "token": "x" },
        ]),
    )
    .await;
    let codes: Vec<_> = done
        .iter()
        .map(|one| one["problem"]["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["scope_missing", "scope_missing", "token_malformed"]);
    let other = world.key(&["mail:send"]).await;
    let answer = world.post(PATH, Some(&other), &json!({})).await;
    assert_eq!((answer.status, answer.code()), (403, "scope_missing"));
}

async fn what_cant_be_read_is_refused_as_a_whole(world: World) {
    let key = world.key(&["*"]).await;
    let item = json!({ "op": "create", "user_id": "7", "purpose": "activate" });
    let many = vec![item.clone(); 101];
    for items in [
        json!(many),
        json!([item, { "op": "dance" }]),
        json!([item, { "op": "create", "user_id": "", "purpose": "activate" }]),
        json!([item, { "op": "validate" }]),
        json!([item, {}]),
        json!("x"),
    ] {
        let answer = world.post(PATH, Some(&key), &json!({ "items": items })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "validation_failed"),
            "{answer:?}"
        );
        let errors = answer.body["errors"].as_object().unwrap();
        assert!(
            errors.keys().all(|field| field.starts_with("items")),
            "{errors:?}"
        );
    }
    let hundred = vec![json!({ "op": "validate", "token": "x".repeat(8000) }); 100];
    assert_eq!(batch(&world, &key, json!(hundred)).await.len(), 100);
}
