//! Many accounts: an import that is killed, rows that are odd, and a Django that goes on meanwhile.

use std::process::Stdio;

use gatepost_bench::outside::{Client, Pair};
use serde_json::{Value, json};

use super::{OWLS, Project, STONES, import, login};
use crate::support::{postgres, reader, sqlite};

impl Project {
    /// So many accounts at once, `user1@example.com` and on, by a statement: Django would take minutes.
    #[track_caller]
    fn add_many(&self, count: usize) {
        self.ask(&["sql", &format!(
            "INSERT INTO auth_user (username, email, password, first_name, last_name, is_active, is_staff, is_superuser, date_joined)
             SELECT 'user' || n, 'User' || n || '@example.com', 'pbkdf2_sha256$1000$saltsaltsaltsaltsalt22$' || md5(n::text),
                 'Анна', '', true, false, false, now() FROM generate_series(1, {count}) AS n"
        )]);
    }
}

/// Accounts of ours, a page at a time.
#[track_caller]
fn page(client: &Client, limit: u32, after: Option<&str>) -> Value {
    let after = after.map_or(String::new(), |id| format!("&after={id}"));
    let page = client.get(&format!("/api/service/users?limit={limit}{after}"));
    page.expect(200).json()
}

/// How many there are.
#[track_caller]
fn count(client: &Client) -> usize {
    let (mut count, mut after) = (0, None);
    loop {
        let page = page(client, 500, after.as_deref());
        count += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return count,
        }
    }
}

#[test]
fn an_import_that_is_killed_goes_on_and_nobody_comes_twice_or_never() {
    const MANY: usize = 12_000;
    for setup in [postgres(), sqlite()] {
        let django = Project::new();
        django.add_many(MANY);
        let gate = setup.unlimited().start();
        let client = gate.client().with_bearer(&gate.key(&["users:read"]));
        let (url, table) = (django.url.clone(), django.table());
        let run = || {
            let mut command = gate.command();
            command.args([
                "--json",
                "user",
                "import",
                "--from-django",
                &url,
                "--table",
                &table,
                "--profile",
                "first_name",
            ]);
            command
        };

        // From outside, as soon as some of it is there.
        let mut running = run()
            .stdout(Stdio::null())
            .spawn()
            .expect("the executable starts");
        while page(&client, 1, None)["items"] == json!([]) {
            let ended = running.try_wait().expect("our own child");
            assert!(ended.is_none(), "{ended:?}");
        }
        running.kill().expect("our own child can be killed");
        running.wait().expect("our own child can be waited for");
        // In the middle of a transaction, and between two.
        for fault in ["import.written:3", "import.taken:3"] {
            let died = run()
                .env("GATEPOST_FAULT", fault)
                .output()
                .expect("the executable runs");
            let said = String::from_utf8_lossy(&died.stderr).into_owned();
            assert!(
                !died.status.success() && said.contains("dying at"),
                "{fault}: {said}"
            );
        }
        let before = count(&client);
        assert!(
            (3_000..MANY).contains(&before) && before.is_multiple_of(500),
            "{before}"
        );

        let last = import(&gate, &django, &[]);
        assert_eq!(
            (&last["read"], &last["imported"]),
            (&json!(MANY - before), &json!(MANY - before)),
            "it goes on where the last one stopped: {last}"
        );
        assert_eq!(count(&client), MANY);
        let again = import(&gate, &django, &[]);
        assert_eq!(
            (&again["read"], &again["unchanged"]),
            (&json!(MANY), &json!(MANY)),
            "{again}"
        );
        let inbox = reader(&gate).get("/api/inbox").expect(200).json();
        assert_eq!(inbox["items"], json!([]), "nothing was sent");
    }
}

#[test]
fn odd_rows_are_counted_and_named_and_keep_nobody_else_out() {
    let django = Project::new();
    let ids = django.add(&json!([
        {"email": "fine@example.com", "password": OWLS},
        {"email": "", "username": "only a name", "password": OWLS},
        {"email": "no address at all", "username": "b", "password": OWLS},
        {"email": "FINE@EXAMPLE.COM", "username": "c", "password": OWLS},
        {"email": "off@example.com", "password": OWLS, "active": false},
        {"email": "unset@example.com", "stored": "!Xs8dHjW2"},
        {"email": "strange@example.com", "stored": "rot13$of$something"},
        {"email": "ольга@пример.рф", "username": "d", "password": OWLS, "first_name": "Ольга"},
        {"email": "long@example.com", "username": "e", "password": OWLS},
        {"email": "forever@example.com", "username": "f", "password": OWLS},
        {"email": format!("{}@example.com", "x".repeat(240)), "username": "g", "password": OWLS},
        {"email": "last@example.com", "password": OWLS},
    ]));
    django.ask(&[
        "sql",
        "ALTER TABLE auth_user ALTER first_name TYPE text, ALTER password DROP NOT NULL",
    ]);
    django.ask(&[
        "sql",
        "UPDATE auth_user SET first_name = repeat('я', 100000) WHERE username = 'e'",
    ]);
    django.ask(&[
        "sql",
        "UPDATE auth_user SET date_joined = 'infinity', password = NULL WHERE username = 'f'",
    ]);
    for setup in [postgres(), sqlite()] {
        let gate = setup.unlimited().start();
        let dry = import(&gate, &django, &["--dry-run"]);
        let done = import(&gate, &django, &[]);
        for counts in [&dry, &done] {
            assert_eq!(
                (&counts["read"], &counts["imported"]),
                (&json!(12), &json!(8)),
                "{counts}"
            );
            let skipped = [
                ("no address that a letter can go to", vec![1, 2, 10]),
                ("another account has the address", vec![3]),
            ];
            for (why, nths) in skipped {
                let named: Vec<String> = nths.iter().map(|nth: &usize| ids[*nth].to_string()).collect();
                assert_eq!(counts["skipped"][why], json!(named.len()), "{why}: {counts}");
                assert_eq!(counts["skipped_ids"][why], json!(named), "{why}: {counts}");
            }
            assert_eq!(
                (&counts["inactive"], &counts["without_password"]),
                (&json!(1), &json!(3)),
                "{counts}"
            );
        }
        let client = gate.client();
        for email in [
            "fine@example.com",
            "Fine@example.com",
            "ольга@пример.рф",
            "long@example.com",
            "last@example.com",
        ] {
            login(&client, email, OWLS).expect(200);
        }
        login(&client, "off@example.com", OWLS).expect(403);
        for email in ["unset@example.com", "strange@example.com", "forever@example.com"] {
            login(&client, email, OWLS).expect(401);
        }
        let told = gate.cli(&[
            "user",
            "import",
            "--from-django",
            &django.url,
            "--table",
            &django.table(),
        ]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains(&format!(
                "skipped 1: another account has the address (id {})",
                ids[3]
            )),
            "{told}"
        );
    }
}

#[test]
fn what_django_changes_between_two_imports_is_brought_and_what_was_changed_here_is_kept() {
    let django = Project::new();
    let names = ["anna", "ben", "cleo", "dora", "emil", "finn"];
    let of = |name: &str| format!("{name}@example.com");
    let all: Vec<Value> = names
        .iter()
        .map(|name| json!({"email": of(name), "username": name, "password": OWLS, "first_name": name}))
        .collect();
    django.add(&json!(all));
    let gate = postgres().unlimited().start();
    let client = gate.client();
    import(&gate, &django, &[]);
    let tokens = |email: &str| Pair::of(&login(&client, email, OWLS).expect(200));
    let (ben, cleo, finn) = (tokens(&of("ben")), tokens(&of("cleo")), tokens(&of("finn")));

    // There: a new address and name, one shut out, a name of somebody whose name is changed here as well, and
    // somebody who takes an address that is taken here.
    django.ask(&[
        "sql",
        "UPDATE auth_user SET email = 'ann@example.com', first_name = 'Ann' WHERE username = 'anna'",
    ]);
    django.ask(&["shut_out", &of("ben")]);
    django.ask(&[
        "sql",
        "UPDATE auth_user SET first_name = 'Kleo' WHERE username = 'cleo'",
    ]);
    django.ask(&[
        "sql",
        "UPDATE auth_user SET email = 'emil@example.com' WHERE username = 'dora'",
    ]);
    django.ask(&["set_password", &of("finn"), STONES]);
    // Here.
    let new = serde_json::to_vec(&json!({"profile": {"first_name": "Cléo"}})).unwrap();
    client
        .with_bearer(&cleo.access)
        .send("PATCH", "/api/users/me", Some(("application/json", new)))
        .expect(200);

    let again = import(&gate, &django, &[]);
    assert_eq!(
        (&again["updated"], &again["unchanged"]),
        (&json!(3), &json!(1)),
        "{again}"
    );
    assert_eq!(
        again["skipped"],
        json!({
            "changed on both sides since; left as it is here": 1,
            "changed here at the same moment, or the new address is another account's": 1,
        }),
        "{again}"
    );
    login(&client, &of("anna"), OWLS).expect(401);
    let ann = tokens("ann@example.com");
    let me = client
        .with_bearer(&ann.access)
        .get("/api/users/me")
        .expect(200)
        .json();
    assert_eq!(me["profile"], json!({"first_name": "Ann"}));
    // Whoever was shut out there is out here, at once.
    login(&client, &of("ben"), OWLS).expect(403);
    client.with_bearer(&ben.access).get("/api/users/me").expect(401);
    let me = client
        .with_bearer(&cleo.access)
        .get("/api/users/me")
        .expect(200)
        .json();
    assert_eq!(me["profile"], json!({"first_name": "Cléo"}));
    login(&client, &of("dora"), OWLS).expect(200);
    login(&client, &of("finn"), STONES).expect(200);
    client.with_bearer(&finn.access).get("/api/users/me").expect(200);
    let third = import(&gate, &django, &[]);
    assert_eq!(
        (&third["updated"], &third["unchanged"]),
        (&json!(0), &json!(4)),
        "{third}"
    );
}
