//! Mail scanners open every link, several times, and must change nothing by it.

use gatepost_bench::outside::{Account, Client, Pair, unknown_address};
use serde_json::json;

use crate::support::{postgres, reader, sqlite};

const LOOKS: usize = 20;

#[test]
fn looking_at_links_changes_nothing_on_sqlite() {
    let gatepost = sqlite().unlimited().start();
    looking_changes_nothing(&gatepost.client(), &reader(&gatepost));
}

#[test]
fn looking_at_links_changes_nothing_on_postgresql() {
    let gatepost = postgres().unlimited().start();
    looking_changes_nothing(&gatepost.client(), &reader(&gatepost));
}

fn looking_changes_nothing(client: &Client, reader: &Client) {
    let account = Account::register(client);
    let activate = account.letter(reader, "activate_account");
    look(client, &activate.link());
    // A script that submits the form by itself presses no button.
    client.send("POST", "/activate", Some(submitted(&activate.token())));
    account.try_login(client).expect(401);
    client
        .post("/api/users/activate", &json!({ "token": activate.token() }))
        .expect(200);
    let session = account.login(client);
    // A link that was used is looked at again, by the same scanner.
    assert!(
        client
            .get(&activate.link())
            .header("content-type")
            .starts_with("text/html")
    );
    account.login(client);

    client
        .post("/api/users/password/forgot", &json!({ "email": account.email }))
        .expect(202);
    let reset = account.letter(reader, "reset_password");
    look(client, &reset.link());
    account.login(client);
    client
        .with_bearer(&session.access)
        .get("/api/users/me")
        .expect(200);
    let weak = json!({ "token": reset.token(), "password": "password" });
    for _ in 0..3 {
        client.post("/api/users/password/reset", &weak).expect(422);
    }
    let new = Account {
        password: "a kettle that hums in Åland".to_owned(),
        ..account.clone()
    };
    let body = json!({ "token": reset.token(), "password": new.password });
    client.post("/api/users/password/reset", &body).expect(204);
    assert_eq!(
        client.post("/api/users/password/reset", &body).code(),
        "token_used"
    );
    account.try_login(client).expect(401);
    new.login(client);
    client
        .with_bearer(&session.access)
        .get("/api/users/me")
        .expect(401);
}

fn submitted(token: &str) -> (&'static str, Vec<u8>) {
    (
        "application/x-www-form-urlencoded",
        format!("token={token}").into_bytes(),
    )
}

fn look(client: &Client, link: &str) {
    for _ in 0..LOOKS {
        let page = client.get(link).expect(200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert!(client.send("HEAD", link, None).expect(200).body.is_empty());
    }
}

/// Somebody registers a victim's address with a password of their own, and waits for the victim's press.
#[test]
fn the_victims_press_activates_nobody_elses_registration() {
    for setup in [sqlite(), postgres()] {
        let gatepost = setup.unlimited().start();
        let (client, reader) = (gatepost.client(), reader(&gatepost));
        let email = unknown_address();
        let thief = Account {
            email: email.clone(),
            password: "the thief knows this one".to_owned(),
        };
        let victim = Account {
            email,
            password: "the victim alone knows it".to_owned(),
        };
        thief.ask(&client);
        let planted = thief.letter(&reader, "activate_account");
        victim.ask(&client);
        let letters = gatepost_bench::outside::Letter::wait(&reader, &victim.email, "activate_account", 2);
        let own = letters
            .iter()
            .find(|letter| letter.id != planted.id)
            .expect("the victim's own letter");

        client
            .post("/api/users/activate", &json!({ "token": own.token() }))
            .expect(200);
        victim.login(&client);
        assert_eq!(thief.try_login(&client).expect(401).code(), "invalid_credentials");
        let late = client.post("/api/users/activate", &json!({ "token": planted.token() }));
        assert!((400..500).contains(&late.status), "{}", late.status);
        thief.try_login(&client).expect(401);
        let pair: Pair = victim.login(&client);
        client.with_bearer(&pair.access).get("/api/users/me").expect(200);
    }
}
