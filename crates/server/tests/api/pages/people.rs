//! `/confirm-email` and `/invitation`, and the form that asks for another address.

use gatepost::accounts::invite;

use crate::browser::Browser;
use crate::world::{PASSWORD, World, on_both};

on_both!(
    another_address_is_walked_to_its_end,
    somebody_elses_address_is_given_back,
    an_invitation_is_walked_to_the_account,
);

const EMAIL: &str = "anna@example.com";
const NEW: &str = "anna@example.org";

async fn ask(world: &World, browser: &mut Browser<'_>, email: &str) {
    browser
        .post("/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(200);
    let csrf = browser.open("/account").await.input("csrf");
    let form = |email, password| {
        [
            ("csrf", csrf.clone()),
            ("action", "change_email".to_owned()),
            ("email", email),
            ("password", password),
        ]
    };
    let press = async |browser: &mut Browser<'_>, email: &str, password: &str| {
        let fields = form(email.to_owned(), password.to_owned());
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        browser.post("/account", &fields).await
    };
    press(browser, email, "not my password at all")
        .await
        .expect(401)
        .says("The password is wrong");
    press(browser, "nonsense", PASSWORD)
        .await
        .expect(422)
        .says("not an e-mail address")
        .says("nonsense");
    press(browser, EMAIL, PASSWORD)
        .await
        .expect(422)
        .says("address of your account already");
    press(browser, email, PASSWORD)
        .await
        .expect(200)
        .says("a letter is on its way to it")
        .says(EMAIL);
    world.run_pending().await;
}

async fn another_address_is_walked_to_its_end(world: World) {
    world.account(EMAIL).await;
    let mut browser = Browser::new(&world);
    ask(&world, &mut browser, NEW).await;
    let link = world.link(NEW, "confirm_email").await;
    // Opened by whoever reads that mailbox, in a browser that knows nothing of the account.
    let mut other = Browser::new(&world);
    let page = other
        .open(&link)
        .await
        .expect(200)
        .says(NEW)
        .says("a***@e***.com")
        .says_not(EMAIL);
    let token = page.input("token");
    for _ in 0..3 {
        other.open(&link).await.expect(200);
        other.send("HEAD", &link, None, &[]).await;
    }
    other
        .post("/confirm-email", &[("token", &token)])
        .await
        .expect(422)
        .says("Press one of the buttons");
    let press = [("token", token.as_str()), ("answer", "confirm")];
    other
        .post("/confirm-email", &press)
        .await
        .expect(200)
        .says("The address is changed")
        .says(NEW);
    assert!(other.cookies.is_empty(), "it logs nobody in");
    other
        .post("/confirm-email", &press)
        .await
        .expect(200)
        .says("It already was");
    other.open(&link).await.expect(400).says("has been used");
    browser.open("/account").await.expect(200).says(NEW);
    world.run_pending().await;
    assert_eq!(
        world.letters(EMAIL).await.last().unwrap().template,
        "email_changed"
    );
}

async fn somebody_elses_address_is_given_back(world: World) {
    world.account(EMAIL).await;
    let mut browser = Browser::new(&world);
    ask(&world, &mut browser, NEW).await;
    let link = world.link(NEW, "confirm_email").await;
    let mut other = Browser::new(&world);
    let token = other.open(&link).await.input("token");
    let press = [("token", token.as_str()), ("answer", "not_me")];
    other
        .post("/confirm-email", &press)
        .await
        .expect(200)
        .says("keeps the address");
    let confirm = [("token", token.as_str()), ("answer", "confirm")];
    other.post("/confirm-email", &confirm).await.expect(400);
    browser.open("/account").await.expect(200).says(EMAIL);
}

async fn an_invitation_is_walked_to_the_account(world: World) {
    let new = gatepost::accounts::users::NewUser {
        email: EMAIL.parse().unwrap(),
        password_hash: None,
        active: false,
        locale: "en".to_owned(),
        profile: serde_json::json!({}),
    };
    let app = world.app.clone();
    let made = world.store().run_tx("invite", move |tx| {
        let (app, new) = (app.clone(), new.clone());
        Box::pin(async move { invite::invite(&app, tx, "test", &new).await })
    });
    assert!(made.await.is_ok_and(|made| made.is_some()));
    world.run_pending().await;
    let link = world.link(EMAIL, "invitation").await;
    let mut browser = Browser::new(&world);
    let page = browser.open(&link).await.expect(200).says(EMAIL);
    let token = page.input("token");
    let choose = |password| [("token", token.as_str()), ("password", password)];
    browser
        .post("/invitation", &choose("short"))
        .await
        .expect(422)
        .says("too short");
    browser
        .post("/invitation", &choose(""))
        .await
        .expect(422)
        .says("Fill in");
    browser
        .post("/invitation", &choose(PASSWORD))
        .await
        .expect(200)
        .says("The account is active")
        .says(EMAIL);
    assert!(browser.cookies.is_empty(), "it logs nobody in");
    browser
        .post("/invitation", &choose(PASSWORD))
        .await
        .expect(400)
        .says("has been used");
    browser
        .open(&link)
        .await
        .expect(400)
        .says("ask whoever invited you");
    browser
        .post("/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(200)
        .says(EMAIL);
    world.run_pending().await;
}
