//! Links that Django sent before.

use gatepost_bench::outside::Client;
use serde_json::{Value, json};

use super::{OWLS, Project, SECRET_KEY, STONES, import, login};
use crate::support::postgres;

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

/// What stands in links of the Python services' letters.
struct JwtLinks {
    new: (&'static str, String),
    new_by_page: (&'static str, String),
    forgot: (&'static str, [String; 3]),
}

impl JwtLinks {
    #[track_caller]
    fn sent_by(django: &Project, [new, new_by_page, forgot]: [&'static str; 3]) -> Self {
        django.add(&json!([
            {"email": new, "password": OWLS, "active": false},
            {"email": new_by_page, "password": OWLS, "active": false},
            {"email": forgot, "password": OWLS, "login": true},
        ]));
        Self {
            new: (new, django.jwt("activate", new)),
            new_by_page: (new_by_page, django.jwt("activate", new_by_page)),
            forgot: (forgot, [(); 3].map(|()| django.jwt("change_password", forgot))),
        }
    }

    /// Each opens what it was sent for, once, by the API and on the pages; and then no more in Django either.
    #[track_caller]
    fn work(&self, django: &Project, client: &Client) {
        let (activate, reset) = ("/api/users/activate", "/api/users/password/reset");
        let (email, link) = &self.new;
        let (_, [first, second, of_django]) = &self.forgot;
        let link = json!({"token": link});
        assert_eq!(
            refused(client, activate, &json!({"token": first})),
            "token_wrong_purpose"
        );
        let account = client.post(activate, &link).expect(200).json();
        assert_eq!(
            (&account["email"], &account["active"]),
            (&json!(email), &json!(true))
        );
        assert_eq!(refused(client, activate, &link), "token_used");
        let used = django.ask(&["use", "activate", &self.new.1]);
        assert_eq!(used, json!("Token is blacklisted"));
        login(client, email, OWLS).expect(200);

        // The page: looking changes nothing, the button does; a second press says that it is done.
        let (email, link) = &self.new_by_page;
        let page = client.get(&format!("/activate/{link}")).expect(303);
        for _ in 0..2 {
            let page = client.get(page.header("location")).expect(200);
            assert!(
                String::from_utf8_lossy(&page.body).contains("<button"),
                "a page with a button"
            );
        }
        login(client, email, OWLS).expect(403);
        for _ in 0..2 {
            let form = format!("token={link}&answer=activate").into_bytes();
            let form = ("application/x-www-form-urlencoded", form);
            client.send("POST", "/activate", Some(form)).expect(200);
        }
        login(client, email, OWLS).expect(200);

        // A password that is refused uses nothing up; of three links one works, and the others die with the password.
        let email = self.forgot.0;
        let mut body = json!({"token": first, "password": "short"});
        client.post(reset, &body).expect(422);
        body["password"] = json!(STONES);
        client.post(reset, &body).expect(204);
        body["password"] = json!("a heron on one leg");
        assert_eq!(refused(client, reset, &body), "token_used");
        body["token"] = json!(second);
        refused(client, reset, &body);
        let used = django.ask(&["use", "change_password", of_django]);
        assert_eq!(used, json!("Token is blacklisted"));
        login(client, email, STONES).expect(200);
    }
}

#[test]
fn jwt_links_that_django_sent_still_work() {
    let django = Project::new();
    let links = JwtLinks::sent_by(
        &django,
        ["new@example.com", "new2@example.com", "forgot@example.com"],
    );
    let moved = django.taking_its_tokens(postgres().unlimited()).start();
    import(&moved, &django, &[]);
    links.work(&django, &moved.client());

    // In Django's own table nothing has to be imported.
    let links = JwtLinks::sent_by(
        &django,
        ["new3@example.com", "new4@example.com", "forgot2@example.com"],
    );
    let beside = django.taking_its_tokens(django.beside()).start();
    links.work(&django, &beside.client());
    assert_eq!(django.ask(&["show", "new3@example.com"])["active"], json!(true));
    assert_eq!(django.ask(&["can", "forgot2@example.com", STONES]), json!(true));
}
