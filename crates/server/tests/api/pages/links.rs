//! The pages behind the links of letters.

use crate::browser::Browser;
use crate::world::{PASSWORD, World, on_both};

on_both!(
    a_registration_is_walked_to_the_account,
    a_link_survives_scanners_and_a_weak_password,
    this_was_not_me,
);

const EMAIL: &str = "anna@example.com";
const NEW: &str = "a kettle that hums in the morning";

async fn register(world: &World, browser: &mut Browser<'_>) {
    browser
        .open("/register")
        .await
        .expect(200)
        .says("action=\"/register\"");
    let shown = browser
        .post(
            "/register",
            &[("email", EMAIL), ("password", PASSWORD), ("locale", "en")],
        )
        .await;
    shown.expect(200).says(EMAIL);
    world.run_pending().await;
}

async fn a_registration_is_walked_to_the_account(world: World) {
    let mut browser = Browser::new(&world);
    register(&world, &mut browser).await;
    browser
        .post("/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(401);
    let link = world.link(EMAIL, "activate_account").await;
    let page = browser.open(&link).await.expect(200).says("Activate my account");
    let token = page.input("token");

    let press = [("token", token.as_str()), ("answer", "activate")];
    browser
        .post("/activate", &press)
        .await
        .expect(200)
        .says("href=\"/login\"");
    assert!(browser.cookies.is_empty(), "activation logs nobody in");
    browser
        .post("/activate", &press)
        .await
        .expect(200)
        .says("It already was");
    browser.open(&link).await.expect(400).says("has been used");

    let account = browser
        .post("/login", &[("email", "ANNA@example.com"), ("password", PASSWORD)])
        .await;
    account.expect(200).says(EMAIL).says("this device");
    world.run_pending().await;
}

async fn a_link_survives_scanners_and_a_weak_password(world: World) {
    world.account(EMAIL).await;
    let mut browser = Browser::new(&world);
    browser.open("/forgot-password").await.expect(200);
    browser
        .post("/forgot-password", &[("email", EMAIL)])
        .await
        .expect(200);
    world.run_pending().await;
    let link = world.link(EMAIL, "reset_password").await;
    let before = world.store().stats().rows_written;
    for _ in 0..20 {
        browser.open(&link).await.expect(200);
        let head = browser.send("HEAD", &link, None, &[]).await;
        assert_eq!((head.status(), head.body.as_str()), (200, ""));
    }
    assert_eq!(
        world.store().stats().rows_written,
        before,
        "looking writes nothing"
    );

    let token = browser.open(&link).await.input("token");
    for (weak, words) in [
        ("short", "too short"),
        ("passwordpassword", "attackers try first"),
        ("anna@example.com", "contains your address"),
        ("", "Fill in"),
    ] {
        let shown = browser
            .post("/reset-password", &[("token", &token), ("password", weak)])
            .await;
        let shown = shown.expect(422).says(words);
        assert_eq!(shown.input("token"), token, "the form can be sent again");
    }
    browser
        .post("/reset-password", &[("token", &token), ("password", NEW)])
        .await
        .expect(200);
    browser
        .post("/reset-password", &[("token", &token), ("password", NEW)])
        .await
        .expect(400)
        .says("has been used");
    assert_eq!(world.login(EMAIL, PASSWORD).await.status, 401);
    assert_eq!(world.login(EMAIL, NEW).await.status, 200);
    for nonsense in [
        "/reset-password",
        "/reset-password?token=x",
        "/activate?token=%F0%9F%98%80",
        "/activate",
    ] {
        browser.open(nonsense).await.expect(400);
    }
    world.run_pending().await;
}

async fn this_was_not_me(world: World) {
    let mut browser = Browser::new(&world);
    register(&world, &mut browser).await;
    let link = world.link(EMAIL, "activate_account").await;
    let token = browser.open(&link).await.input("token");
    // A script that submits the form by itself presses no button.
    browser
        .post("/activate", &[("token", &token)])
        .await
        .expect(422)
        .says("Press one of the buttons yourself");
    browser.open(&link).await.expect(200);

    browser
        .post("/activate", &[("token", &token), ("answer", "not_me")])
        .await
        .expect(200)
        .says("withdrawn");
    let shown = browser
        .post("/activate", &[("token", &token), ("answer", "activate")])
        .await;
    shown.expect(400).says_not("It already was");
    assert_eq!(world.login(EMAIL, PASSWORD).await.status, 401);
}
