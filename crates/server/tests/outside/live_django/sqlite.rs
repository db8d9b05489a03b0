//! On SQLite: Gatepost's accounts and blacklist are its own, Django's are Django's, and both take each other's tokens.

use gatepost_bench::outside::{Client, Instance, Setup};
use serde_json::json;

use super::cases::{Maker, all};
use super::project::{Django, Project, SECRET, Users};
use super::{compare_each, strict};
use crate::support::sqlite;

/// Gatepost's only account, with the name and password of Django's; its id.
fn account(gatepost: &Instance) -> String {
    let (email, password) = Django::login();
    let service = gatepost.client().with_bearer(&gatepost.key(&["users:write"]));
    let made = service.post(
        "/api/service/users",
        &json!({"email": email, "password": password}),
    );
    made.expect(201).field("id")
}

fn setup() -> Setup {
    sqlite()
        .unlimited()
        .set("tokens.dialect", "\"simplejwt\"")
        .set("simplejwt.signing_key", format!("{SECRET:?}"))
        .set("simplejwt.rotate_refresh_tokens", "true")
        .set("simplejwt.blacklist_after_rotation", "true")
}

#[test]
fn on_sqlite_the_same_requests_have_the_same_answers() {
    let gatepost = setup().start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/db.sqlite3", folder.path().display());
    let django = Project::prepare(url, Users::Uuid, strict()).serve(&account(&gatepost));
    let (theirs, ours) = (django.client(), gatepost.client());
    let makers = [
        Maker::new(&django, &theirs, &theirs),
        Maker::new(&django, &ours, &ours),
    ];
    let [mut of_django, mut of_gatepost] = [all(&makers[0]), all(&makers[1])];
    // Our own accounts are known by their address, in whatever letters.
    let capitals = Django::login().0.to_uppercase();
    for cases in [&mut of_django, &mut of_gatepost] {
        cases.retain(|case| !case.name.contains(&capitals));
    }
    let pairs = of_django.iter().zip(&of_gatepost);
    compare_each(pairs, &theirs, &ours);
    take_each_other(&theirs, &ours);
}

/// Gatepost's tables beside Django's, in the file that a project in development has.
#[test]
fn in_one_sqlite_file_both_keep_their_own_and_take_each_others_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/db.sqlite3", folder.path().display());
    let project = Project::prepare(url.clone(), Users::Uuid, strict());
    let gatepost = setup().set("storage.url", format!("{url:?}")).start();
    let django = project.serve(&account(&gatepost));
    let (theirs, ours) = (django.client(), gatepost.client());
    for _ in 0..20 {
        take_each_other(&theirs, &ours);
    }
}

/// Access tokens of both are good at both, refresh tokens at the one that made them, and the blacklists are apart.
fn take_each_other(theirs: &Client, ours: &Client) {
    let login = json!({"email": Django::login().0, "password": Django::login().1});
    let given = [theirs, ours].map(|client| client.post("/api/token/", &login).expect(200));
    for answer in &given {
        let access = answer.field("access");
        theirs.with_bearer(&access).get("/me/").expect(200);
        ours.with_bearer(&access).get("/api/users/me").expect(200);
    }
    for (client, other, answer) in [(theirs, ours, &given[0]), (ours, theirs, &given[1])] {
        let body = json!({"refresh": answer.field("refresh")});
        client.post("/api/token/refresh/", &body).expect(200);
        client.post("/api/token/refresh/", &body).expect(401);
        // What one has blacklisted is good for the other, once.
        other.post("/api/token/refresh/", &body).expect(200);
        other.post("/api/token/refresh/", &body).expect(401);
    }
}
