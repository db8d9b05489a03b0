//! Who may call the service API.

use gatepost::service::api_key;
use serde_json::json;

use crate::world::{World, on_both};

on_both!(a_key_opens_what_its_scopes_name, a_revoked_key_opens_nothing);

async fn a_key_opens_what_its_scopes_name(world: World) {
    let body = json!({ "token": "x" });
    let refused = |answer: gatepost::testing::Answer| (answer.status, answer.code().to_owned());
    let path = "/api/tokens/validate";
    assert_eq!(
        refused(world.post(path, None, &body).await),
        (401, "credentials_missing".to_owned())
    );
    for wrong in ["gp_", "gp_nobody", "eyJ0eXAi.eyJ.x", ""] {
        assert_eq!(
            refused(world.post(path, Some(wrong), &body).await),
            (401, "api_key_invalid".to_owned()),
            "{wrong:?}"
        );
    }
    let reader = world.key(&["users:read", "mail:read"]).await;
    let answer = world.post(path, Some(&reader), &json!({})).await;
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("`tokens:verify`"),
        "the body is not looked at first"
    );
    assert_eq!(refused(answer), (403, "scope_missing".to_owned()));
    assert_eq!(world.get("/api/service/users", Some(&reader)).await.status, 200);
    let verifier = world.key(&["tokens:verify"]).await;
    assert_eq!(
        refused(world.post(path, Some(&verifier), &body).await),
        (400, "token_malformed".to_owned())
    );
    assert_eq!(
        refused(world.post(path, Some(&format!(" {verifier} ")), &body).await),
        (400, "token_malformed".to_owned())
    );
}

async fn a_revoked_key_opens_nothing(world: World) {
    let key = world.key(&["*"]).await;
    assert_eq!(world.get("/api/service/users", Some(&key)).await.status, 200);
    let keys = world
        .store()
        .read("list", |tx| Box::pin(async move { api_key::list(tx).await }))
        .await
        .unwrap();
    assert_eq!(keys[0].last_used_at, Some(world.store().now()));
    let name = keys[0].name.clone();
    let revoked = world.store().run_tx("revoke", move |tx| {
        let name = name.clone();
        Box::pin(async move { api_key::revoke(tx, &name).await })
    });
    assert!(revoked.await.unwrap());
    assert_eq!(
        world.get("/api/service/users", Some(&key)).await.code(),
        "api_key_invalid"
    );
}
