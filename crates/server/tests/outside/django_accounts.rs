//! Beside a real Django: its users log in here with the passwords that Django stored, in its own table or imported.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use gatepost_bench::outside::{Client, Instance, Letter, Pair, Setup};
use serde_json::{Value, json};

use crate::support::{postgres, reader};

/// A Django project with tables in a schema of its own, gone when this is dropped.
struct Project {
    url: String,
    schema: String,
    python: Mutex<(Child, BufReader<ChildStdout>)>,
}

impl Project {
    #[track_caller]
    fn new() -> Self {
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL")
            .expect("GATEPOST_TEST_POSTGRES_URL names a PostgreSQL");
        let name = gatepost_bench::outside::unknown_address();
        let schema: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(56)
            .collect();
        let schema = format!("dj_{schema}").to_lowercase();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../bench/python/django_accounts.py"
        );
        let python = std::env::var("GATEPOST_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(python)
            .args([script, &url, &schema])
            .env("DJANGO_SECRET", SECRET_KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("GATEPOST_TEST_PYTHON names the Python that has Django; ./scripts/test makes one");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let project = Self {
            url,
            schema,
            python: Mutex::new((child, answers)),
        };
        project.ask(&["make"]);
        project
    }

    #[track_caller]
    fn ask(&self, args: &[&str]) -> Value {
        let mut python = self.python.lock().unwrap();
        let (child, answers) = &mut *python;
        writeln!(child.stdin.as_mut().expect("a pipe"), "{}", json!(args)).expect("Django listens");
        let mut line = String::new();
        answers.read_line(&mut line).expect("Django answers");
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("Django said {line:?} to {args:?}; is all of it installed?"))
    }

    #[track_caller]
    fn add(&self, accounts: &Value) -> Vec<i64> {
        serde_json::from_value(self.ask(&["add", &accounts.to_string()])).unwrap()
    }

    fn table(&self) -> String {
        format!("{}.auth_user", self.schema)
    }

    /// Gatepost on this project's own table.
    fn beside(&self) -> Setup {
        postgres()
            .unlimited()
            .set("accounts.source", "\"django\"")
            .set("accounts.registration", "\"closed\"")
            .set("accounts.django.table", format!("{:?}", self.table()))
            .set("accounts.django.profile", "[\"first_name\"]")
            .set("accounts.django.pbkdf2_iterations", "100000")
            .set("accounts.django.secret_key", format!("{SECRET_KEY:?}"))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.ask(&["drop"]);
        }
        if let Ok((child, _)) = self.python.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const SECRET_KEY: &str = "django-insecure-test-secret-key-0123456789abcdefghijklmnopqrstuv";
const KINDS: [&str; 6] = [
    "pbkdf2_sha256",
    "pbkdf2_sha1",
    "argon2",
    "bcrypt_sha256",
    "bcrypt",
    "scrypt",
];
const OWLS: &str = "seven owls in an attic";
const STONES: &str = "wet stones under moss";

fn of(kind: &str) -> String {
    format!("{kind}@example.com")
}

fn everybody() -> Value {
    let mut all: Vec<Value> = KINDS
        .iter()
        .map(|kind| json!({"email": of(kind), "password": OWLS, "kind": kind, "first_name": "Анна", "login": true}))
        .collect();
    all.push(json!({"email": "md5@example.com", "password": OWLS, "kind": "md5"}));
    all.push(json!({"email": "off@example.com", "password": OWLS, "active": false}));
    all.push(json!({"email": "unset@example.com", "stored": "!aXzt"}));
    all.push(json!({"email": "", "username": "nobody", "password": OWLS}));
    Value::Array(all)
}

#[track_caller]
fn login(client: &Client, email: &str, password: &str) -> gatepost_bench::outside::Answer {
    client.post("/api/auth/login", &json!({"email": email, "password": password}))
}

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

#[track_caller]
fn import(gate: &Instance, django: &Project, more: &[&str]) -> Value {
    let table = django.table();
    let args = [
        &[
            "--json",
            "user",
            "import",
            "--from-django",
            &django.url,
            "--table",
            &table,
            "--profile",
            "first_name",
        ],
        more,
    ]
    .concat();
    let done = gate.cli(&args);
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"))
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

/// The API's refusal of a link, and nothing used up by it.
#[track_caller]
fn refused(client: &Client, path: &str, body: &Value) -> String {
    client.post(path, body).expect(400).code()
}

/// What Django sent before the accounts moved still opens what it was sent for, once.
#[track_caller]
fn links_work(client: &Client, new: (&Value, &str), forgot: (&Value, &str)) {
    let (activate, reset) = ("/api/users/activate", "/api/users/password/reset");
    let part = |link: &Value, name: &str| link[name].as_str().unwrap().to_owned();
    let (link, email) = new;
    let other = json!({"uid": link["uid"], "token": forgot.0["token"]});
    assert_eq!(refused(client, activate, &other), "token_revoked");
    let moved = client
        .get(&format!(
            "/activate/{}/{}",
            part(link, "uid"),
            part(link, "token")
        ))
        .expect(303);
    let page = client.get(moved.header("location")).expect(200);
    assert!(
        String::from_utf8_lossy(&page.body).contains("<button"),
        "a page with a button"
    );
    let account = client.post(activate, link).expect(200).json();
    assert_eq!(
        (&account["email"], &account["active"]),
        (&json!(email), &json!(true))
    );
    assert_eq!(refused(client, activate, link), "token_used");
    login(client, email, OWLS).expect(200);

    let (link, email) = forgot;
    let mut body = json!({"uid": link["uid"], "token": link["token"], "new_password": "short"});
    client.post(reset, &body).expect(422);
    body["new_password"] = json!(STONES);
    client.post(reset, &body).expect(204);
    assert_eq!(refused(client, reset, &body), "token_revoked");
    login(client, email, STONES).expect(200);
    body["token"] = json!(format!("0{}", part(link, "token")));
    assert_eq!(refused(client, reset, &body), "token_malformed");
}

#[test]
fn links_that_django_sent_still_work() {
    let django = Project::new();
    django.add(&json!([
        {"email": "new@example.com", "password": OWLS, "active": false},
        {"email": "forgot@example.com", "password": OWLS, "login": true},
        {"email": "new2@example.com", "password": OWLS, "active": false},
        {"email": "forgot2@example.com", "password": OWLS, "login": true},
    ]));
    let link = |email: &str| django.ask(&["link", email]);
    let (new, forgot) = (link("new@example.com"), link("forgot@example.com"));
    let (new2, forgot2) = (link("new2@example.com"), link("forgot2@example.com"));

    let own = postgres().unlimited();
    let own = own
        .set("accounts.django.secret_key", format!("{SECRET_KEY:?}"))
        .start();
    import(&own, &django, &[]);
    links_work(
        &own.client(),
        (&new2, "new2@example.com"),
        (&forgot2, "forgot2@example.com"),
    );

    let beside = django.beside().start();
    links_work(
        &beside.client(),
        (&new, "new@example.com"),
        (&forgot, "forgot@example.com"),
    );
    assert_eq!(django.ask(&["show", "new@example.com"])["active"], json!(true));
    assert_eq!(django.ask(&["can", "forgot@example.com", STONES]), json!(true));
}
