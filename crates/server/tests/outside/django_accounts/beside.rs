//! On Django's own table, beside it.

use gatepost_bench::outside::{Client, Instance, Letter, Pair};
use serde_json::json;

use super::{KINDS, OWLS, Project, STONES, everybody, login, of};
use crate::support::reader;

/// The first and the third by their ids: of the kinds of passwords in that order.
#[track_caller]
fn what_programs_may_do(django: &Project, gate: &Instance, client: &Client, first: &str, third: &str) {
    // Programs: look, switch off; what only Django may do is refused by name.
    let program = client.with_bearer(&gate.key(&["users:read", "users:write"]));
    let at = format!("/api/service/users/{first}");
    assert_eq!(program.get(&at).expect(200).json()["email"], json!(of(KINDS[0])));
    let all = program.get("/api/service/users?limit=3").expect(200).json();
    assert_eq!(
        (all["items"].as_array().unwrap().len(), &all["next"]),
        (3, &json!(third))
    );
    let pair = Pair::of(&login(client, &of(KINDS[0]), OWLS).expect(200));
    let off = serde_json::to_vec(&json!({"active": false})).unwrap();
    program
        .send("PATCH", &at, Some(("application/json", off)))
        .expect(200);
    client.with_bearer(&pair.access).get("/api/users/me").expect(401);
    assert_eq!(django.ask(&["show", &of(KINDS[0])])["active"], json!(false));
    assert_eq!(
        program.send("DELETE", &at, None).expect(409).code(),
        "accounts_elsewhere"
    );
    // Shut out by Django: nothing of what was opened here goes on.
    let pair = Pair::of(&login(client, &of(KINDS[1]), OWLS).expect(200));
    django.ask(&["shut_out", &of(KINDS[1])]);
    client
        .post("/api/auth/refresh", &json!({"refresh": pair.refresh}))
        .expect(401);
    client.with_bearer(&pair.access).get("/api/users/me").expect(401);
    let made = json!({"email": "new@example.com", "password": STONES});
    assert_eq!(
        program.post("/api/service/users", &made).expect(409).code(),
        "accounts_elsewhere"
    );
}

#[test]
fn djangos_own_table_is_used_beside_a_live_django() {
    let django = Project::new();
    let ids = django.add(&everybody());
    let gate = django.beside().start();
    let client = gate.client();
    for (kind, id) in KINDS.iter().zip(&ids) {
        let before = django.ask(&["show", &of(kind)]);
        let pair = Pair::of(&login(&client, &of(kind).to_uppercase(), OWLS).expect(200));
        let me = client
            .with_bearer(&pair.access)
            .get("/api/users/me")
            .expect(200)
            .json();
        assert_eq!(
            (&me["id"], &me["email"]),
            (&json!(id.to_string()), &json!(of(kind)))
        );
        assert_eq!(me["profile"], json!({"first_name": "Анна"}));
        let after = django.ask(&["show", &of(kind)]);
        assert_eq!(
            before["password"], after["password"],
            "{kind}: as Django wrote it"
        );
        assert_eq!(
            login(&client, &of(kind), STONES).expect(401).code(),
            "invalid_credentials"
        );
    }
    for email in ["md5@example.com", "unset@example.com", "unknown@example.com"] {
        assert_eq!(
            login(&client, email, OWLS).expect(401).code(),
            "invalid_credentials",
            "{email}"
        );
    }
    assert_eq!(
        login(&client, "off@example.com", OWLS).expect(403).code(),
        "account_not_active"
    );
    let closed = json!({"email": "new@example.com", "password": OWLS});
    assert_eq!(
        client.post("/api/users", &closed).expect(403).code(),
        "registration_closed"
    );

    // A password that is set here is one that Django knows, and the other way round.
    let (anna, ben) = (of("bcrypt"), of("scrypt"));
    let pair = Pair::of(&login(&client, &anna, OWLS).expect(200));
    let other = Pair::of(&login(&client, &anna, OWLS).expect(200));
    let change = json!({"current": OWLS, "new": STONES});
    client
        .with_bearer(&pair.access)
        .post("/api/users/me/password", &change)
        .expect(200);
    client.with_bearer(&other.access).get("/api/users/me").expect(401);
    let stored = django.ask(&["show", &anna])["password"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(stored.starts_with("pbkdf2_sha256$100000$"), "{stored}");
    assert_eq!(django.ask(&["can", &anna, STONES]), json!(true));
    assert_eq!(
        django.ask(&["show", &anna])["password"],
        json!(stored),
        "Django has nothing to hash anew"
    );
    django.ask(&["set_password", &ben, STONES]);
    login(&client, &ben, OWLS).expect(401);
    login(&client, &ben, STONES).expect(200);

    what_programs_may_do(&django, &gate, &client, &ids[0].to_string(), &ids[2].to_string());

    // "Forgot password" by our own letter.
    let (mail, argon) = (reader(&gate), of("argon2"));
    client
        .post("/api/users/password/forgot", &json!({"email": argon}))
        .expect(202);
    let token = Letter::wait(&mail, &argon, "reset_password", 1)[0].token();
    client
        .post(
            "/api/users/password/reset",
            &json!({"token": token, "password": STONES}),
        )
        .expect(204);
    assert_eq!(django.ask(&["can", &argon, STONES]), json!(true));
}
