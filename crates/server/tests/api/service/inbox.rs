//! `/api/inbox` with a transport that sends.

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_box_unless_mail_is_captured() {
    let folder = tempfile::tempdir().unwrap();
    let transport = format!("file:{}", folder.path().display());
    let settings = [
        ("GATEPOST__MAIL__TRANSPORT", transport.as_str()),
        ("GATEPOST__HTTP__PUBLIC_URL", "https://id.example.com"),
    ];
    let world = World::with(&settings).await;
    let key = world.key(&["mail:read"]).await;
    for path in ["/api/inbox", "/api/inbox/01890000-0000-7000-8000-000000000000"] {
        let answer = world.get(path, Some(&key)).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
}
