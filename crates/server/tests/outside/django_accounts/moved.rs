//! Accounts that move here, and back.

use std::sync::atomic::{AtomicUsize, Ordering};

use gatepost_bench::outside::{Instance, Pair};
use serde_json::{Value, json};

use super::{KINDS, OWLS, Project, STONES, everybody, import, login, of};
use crate::support::{at_once, postgres, reader};

#[track_caller]
fn export(gate: &Instance, django: &Project) -> Value {
    let table = django.table();
    let args = [
        "--json",
        "user",
        "export",
        "--to-django",
        &django.url,
        "--table",
        &table,
    ];
    let done = gate.cli(&args);
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"))
}

#[test]
fn accounts_go_back_to_django() {
    let django = Project::new();
    let (anna, ben) = (of("pbkdf2_sha256"), of("scrypt"));
    django.add(&everybody());
    let gate = postgres().unlimited().start();
    let client = gate.client();
    import(&gate, &django, &[]);
    // Hashed anew by a login; changed; new.
    login(&client, &anna, OWLS).expect(200);
    let pair = Pair::of(&login(&client, &ben, OWLS).expect(200));
    let change = json!({"current": OWLS, "new": STONES});
    client
        .with_bearer(&pair.access)
        .post("/api/users/me/password", &change)
        .expect(200);
    let program = client.with_bearer(&gate.key(&["users:write"]));
    let new = json!({"email": "new@example.com", "password": STONES, "profile": {"first_name": "Néa"}});
    program.post("/api/service/users", &new).expect(201);

    let first = export(&gate, &django);
    assert_eq!(
        (&first["added"], &first["updated"], &first["unchanged"]),
        (&json!(1), &json!(2), &json!(7)),
        "{first}"
    );
    for (email, password) in [
        (&anna, OWLS),
        (&ben, STONES),
        (&"new@example.com".to_owned(), STONES),
    ] {
        assert_eq!(django.ask(&["can", email, password]), json!(true), "{email}");
    }
    let again = export(&gate, &django);
    // Django hashed two of them anew when they logged in there, and knows better than we do.
    assert_eq!(
        (&again["added"], &again["skipped"]),
        (
            &json!(0),
            &json!({"password changed on both sides since; left as it is there": 1})
        ),
        "{again}"
    );
    login(&client, &ben, STONES).expect(200);
}

#[test]
fn djangos_users_become_ours_and_keep_their_passwords() {
    let django = Project::new();
    django.add(&everybody());
    let gate = postgres().unlimited().start();
    let client = gate.client();
    let dry = import(&gate, &django, &["--dry-run"]);
    let skipped = json!({"no address that a letter can go to": 1});
    assert_eq!(
        (&dry["imported"], &dry["skipped"]),
        (&json!(9), &skipped),
        "{dry}"
    );
    login(&client, &of("argon2"), OWLS).expect(401);

    let first = import(&gate, &django, &[]);
    assert_eq!(
        (&first["imported"], &first["without_password"]),
        (&json!(9), &json!(2)),
        "{first}"
    );
    assert_eq!(first["passwords"]["bcrypt_sha256"], json!(1));
    let again = import(&gate, &django, &[]);
    assert_eq!(
        (&again["imported"], &again["unchanged"]),
        (&json!(0), &json!(9)),
        "{again}"
    );

    for kind in KINDS {
        login(&client, &of(kind), STONES).expect(401);
        let pair = Pair::of(&login(&client, &of(kind), OWLS).expect(200));
        let me = client
            .with_bearer(&pair.access)
            .get("/api/users/me")
            .expect(200)
            .json();
        assert_eq!(me["profile"], json!({"first_name": "Анна"}));
        // Now it is hashed as ours are, and still the same password.
        login(&client, &of(kind), OWLS).expect(200);
    }
    assert_eq!(
        login(&client, "off@example.com", OWLS).expect(403).code(),
        "account_not_active"
    );
    login(&client, "md5@example.com", OWLS).expect(401);
    assert_eq!(
        reader(&gate).get("/api/inbox").expect(200).json()["items"],
        json!([]),
        "nothing was sent"
    );

    // Changed in Django since: brought over, unless it was changed here too.
    django.ask(&["set_password", "unset@example.com", STONES]);
    django.ask(&["set_password", &of("scrypt"), STONES]);
    let pair = Pair::of(&login(&client, &of("bcrypt"), OWLS).expect(200));
    let change = json!({"current": OWLS, "new": STONES});
    client
        .with_bearer(&pair.access)
        .post("/api/users/me/password", &change)
        .expect(200);
    django.ask(&["set_password", &of("bcrypt"), "a heron on one leg"]);
    django.add(&json!([{"email": "late@example.com", "password": OWLS}, {"email": "LATE@example.com", "username": "x", "password": OWLS}]));
    let third = import(&gate, &django, &[]);
    assert_eq!(
        (&third["imported"], &third["updated"], &third["unchanged"]),
        (&json!(1), &json!(2), &json!(6)),
        "{third}"
    );
    assert_eq!(third["skipped"]["another account has the address"], json!(1));
    login(&client, "unset@example.com", STONES).expect(200);
    login(&client, &of("scrypt"), STONES).expect(200);
    login(&client, &of("bcrypt"), STONES).expect(200);
    login(&client, "late@example.com", OWLS).expect(200);
}

#[test]
fn whoever_is_logged_in_at_django_stays_so_when_the_accounts_move() {
    let django = Project::new();
    let (anna, ben) = (of("argon2"), of("scrypt"));
    django.add(&everybody());
    let mut tokens = [&anna, &anna, &ben]
        .map(|email| django.jwt("refresh", email))
        .into_iter();
    let moved = django.taking_its_tokens(postgres().unlimited()).start();
    import(&moved, &django, &[]);
    let client = moved.client();
    let mut next = || json!({"refresh": tokens.next().unwrap()});
    let pair = Pair::of(&client.post("/api/auth/refresh", &next()).expect(200));
    let me = client.with_bearer(&pair.access);
    assert_eq!(me.get("/api/users/me").expect(200).json()["email"], json!(anna));

    // What ends all that somebody holds ends what Django gave out under his old name.
    me.post("/api/auth/logout-everywhere", &json!({})).expect(204);
    client.post("/api/auth/refresh", &next()).expect(401);
    let off = moved.cli(&["user", "deactivate", &ben, "--yes"]);
    assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
    client.post("/api/auth/refresh", &next()).expect(401);
}

/// Passwords become ours as their owners log in: by the string that was compared, so that whatever was chosen in the
/// meantime stays.
#[test]
fn a_password_that_is_changed_while_somebody_logs_in_is_never_put_back() {
    let django = Project::new();
    let accounts: Vec<Value> = KINDS
        .iter()
        .flat_map(|kind| {
            [1, 2].map(
                |nth| json!({"email": format!("{kind}{nth}@example.com"), "password": OWLS, "kind": kind}),
            )
        })
        .collect();
    django.add(&json!(accounts));
    let setup = postgres().unlimited();
    let both = [setup.start(), setup.start()];
    import(&both[0], &django, &[]);
    let program = both[0]
        .client()
        .with_bearer(&both[0].key(&["sessions:create", "users:read"]));
    let users = program.get("/api/service/users?limit=500").expect(200).json();
    for user in users["items"].as_array().unwrap() {
        let (id, email) = (user["id"].as_str().unwrap(), user["email"].as_str().unwrap());
        // A session that no login opened: the string is still Django's.
        let token = program
            .post("/api/tokens", &json!({"user_id": id, "purpose": "refresh"}))
            .expect(201);
        let refresh = json!({"refresh": token.field("token")});
        let access = both[0]
            .client()
            .post("/api/auth/refresh", &refresh)
            .expect(200)
            .field("access");
        let turn = AtomicUsize::new(0);
        let answers = at_once(6, &both, |client| {
            if turn.fetch_add(1, Ordering::Relaxed) == 0 {
                let change = json!({"current": OWLS, "new": STONES});
                let client = client.with_bearer(&access);
                return ("change", client.post("/api/users/me/password", &change).status);
            }
            ("login", login(client, email, OWLS).status)
        });
        let change = answers.iter().find(|(what, _)| *what == "change").unwrap().1;
        assert_eq!(
            change, 200,
            "{email}: a login at the same moment is in nobody's way"
        );
        login(&both[0].client(), email, STONES).expect(200);
        login(&both[1].client(), email, OWLS).expect(401);
    }
}
