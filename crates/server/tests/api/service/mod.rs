//! The API for other programs.

mod batch;
mod events;
mod inbox;
mod keys;
mod mail;
mod mail_managed;
mod oauth;
mod queues;
mod revocations;
mod tokens;
mod users;

use crate::world::World;

/// Generated clients name their functions by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_has_a_name_of_its_own() {
    let world = World::with(&[]).await;
    let document = world.get("/openapi.json", None).await.body;
    let operations = crate::unauthorized::operations(&document);
    let mut names = std::collections::BTreeSet::new();
    for (method, path, operation) in operations {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(
            !name.is_empty() && names.insert(name.clone()),
            "{method} {path}: {name:?} stands twice"
        );
    }
}
