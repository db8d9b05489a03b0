//! What every form and page has in common.

use crate::browser::{Browser, encoded};
use crate::world::{PASSWORD, World, on_both};

on_both!(
    known_and_unknown_addresses_are_told_the_same,
    what_is_typed_wrong_is_told_beside_its_field
);

async fn known_and_unknown_addresses_are_told_the_same(world: World) {
    world.account("known@example.com").await;
    let mut browser = Browser::new(&world);
    for path in ["/register", "/forgot-password"] {
        let mut told = Vec::new();
        for email in ["known@example.com", "other@example.com"] {
            // The least of several times: the view of what is revoked is read beside it now and then.
            let mut least = None;
            for _ in 0..5 {
                let before = world.store().stats();
                let shown = browser
                    .post(path, &[("email", email), ("password", PASSWORD)])
                    .await
                    .expect(200);
                let after = world.store().stats();
                let statements = after.statements - before.statements;
                let rows = after.rows_written - before.rows_written;
                let told = (shown.headers(), shown.body.replace(email, "-"));
                least = least
                    .into_iter()
                    .chain([(statements, rows, told)])
                    .min_by_key(|(cost, ..)| *cost);
            }
            told.push(least);
        }
        assert_eq!(told[0], told[1], "{path}");
    }
    world.run_pending().await;
}

async fn what_is_typed_wrong_is_told_beside_its_field(world: World) {
    let mut browser = Browser::new(&world);
    let shown = browser
        .post("/register", &[("email", "a b"), ("password", PASSWORD)])
        .await;
    let shown = shown.expect(422).says("This is not an e-mail address");
    assert_eq!(shown.input("email"), "a b", "what was typed stays");
    assert!(!shown.body.contains(PASSWORD), "a password never comes back");
    for email in [
        "a@b.co\r\nBcc: x@y.co",
        "<script>alert(1)</script>@b.co",
        &"x".repeat(60_000),
    ] {
        for path in ["/register", "/forgot-password", "/login"] {
            browser
                .post(path, &[("email", email), ("password", PASSWORD)])
                .await
                .expect(422)
                .says_not("<script>alert");
        }
    }
    browser
        .post("/register", &[("email", "a@b.co"), ("password", "short")])
        .await
        .expect(422)
        .says("at least 15");
    browser.post("/login", &[]).await.expect(422).says("Fill in");
    browser
        .post("/login", &[("email", "a@b.co"), ("password", "wrong")])
        .await
        .expect(401)
        .says("is wrong");

    // A problem is a page for a person and a document for a program.
    let large = encoded(&[("email", &"x".repeat(70_000))]);
    browser
        .send("POST", "/login", Some(large.clone()), &[])
        .await
        .expect(413);
    let document = browser
        .send("POST", "/login", Some(large), &[("accept", "application/json")])
        .await;
    assert_eq!(document.header("content-type"), "application/problem+json");
    browser
        .send("POST", "/login", Some("email=%FF".into()), &[])
        .await
        .expect(400);
    world.run_pending().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_in_the_readers_language() {
    let world = World::with(&[]).await;
    let mut browser = Browser::new(&world);
    for path in [
        "/",
        "/docs",
        "/register",
        "/login",
        "/forgot-password",
        "/console/login",
    ] {
        browser.open(path).await.expect(200);
    }
    browser
        .send("GET", "/login", None, &[("accept-language", "uk")])
        .await
        .expect(200)
        .says("lang=\"uk\"");
    browser
        .open("/login?lang=ru")
        .await
        .expect(200)
        .says("lang=\"ru\"");
    browser.open("/login").await.expect(200).says("lang=\"ru\"");
    let css = browser.open("/").await;
    let address = css
        .body
        .split("href=\"")
        .find(|part| part.starts_with("/assets/gatepost.css"))
        .unwrap();
    let css = browser
        .send("GET", address.split('"').next().unwrap(), None, &[])
        .await;
    assert_eq!(css.header("content-type"), "text/css; charset=utf-8");
    assert!(css.header("cache-control").contains("immutable"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_lost_gets_a_page_and_a_program_a_document() {
    let world = World::with(&[]).await;
    let mut browser = Browser::new(&world);
    browser.open("/no/such/page").await.expect(404);
    let document = browser
        .send("GET", "/no/such/page", None, &[("accept", "*/*")])
        .await;
    assert_eq!(document.header("content-type"), "application/problem+json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_registration_says_so() {
    let world = World::with(&[("GATEPOST__ACCOUNTS__REGISTRATION", "closed")]).await;
    let mut browser = Browser::new(&world);
    browser.open("/").await.expect(200).says("Registration is closed");
    browser.open("/register").await.expect(403);
    browser
        .post("/register", &[("email", "a@b.co"), ("password", PASSWORD)])
        .await
        .expect(403);
}
