//! `gatepost user`.

use crate::place::{Place, on_both};

on_both!(
    an_account_is_made_shown_and_ended,
    what_ends_sessions_says_how_many_and_asks
);

const PASSWORD: &str = "a-quite-fine Passw0rd of mine";

fn an_account_is_made_shown_and_ended(place: &Place) {
    place
        .run_with("short", &["user", "create", "ann@example.com"])
        .refused(1, "15");
    place
        .run_with("", &["user", "create", "ann@example.com"])
        .refused(2, "standard input");
    let id = place
        .run_with(PASSWORD, &["user", "create", "Ann@Example.com", "--locale", "ru"])
        .good();
    place
        .run_with(PASSWORD, &["user", "create", "ann@example.com"])
        .refused(1, "user show");
    let waiting = place
        .run(&[
            "--json",
            "user",
            "create",
            "ben@example.com",
            "--no-password",
            "--inactive",
        ])
        .json();
    assert_eq!(waiting["active"], false);

    let shown = place.run(&["--json", "user", "show", "ann@example.com"]).json();
    assert_eq!(
        (shown["id"].as_str(), shown["locale"].as_str()),
        (Some(id.as_str()), Some("ru"))
    );
    assert_eq!(place.run(&["--json", "user", "show", &id]).json(), shown);
    let text = place.run(&["user", "show", &id]).good();
    assert!(!text.contains("argon2"), "{text}");

    let first = place.run(&["--json", "user", "list", "--limit", "1"]).json();
    assert_eq!(
        (first["total"].as_i64(), first["items"].as_array().unwrap().len()),
        (Some(2), 1)
    );
    let next = first["next"].as_str().unwrap();
    let second = place.run(&["--json", "user", "list", "--after", next]).json();
    assert_eq!(second["items"][0]["email"], "ben@example.com");
    assert!(second["next"].is_null());

    assert_eq!(
        place.run(&["user", "activate", "ben@example.com"]).good(),
        "activated"
    );
    assert_eq!(
        place
            .run(&["--json", "user", "activate", "ben@example.com"])
            .json()["changed"],
        false
    );
    place.run(&["user", "delete", "ben@example.com", "--yes"]).good();
    place
        .run(&["user", "show", "ben@example.com"])
        .refused(1, "user list");
}

fn what_ends_sessions_says_how_many_and_asks(place: &Place) {
    let id = place
        .run_with(PASSWORD, &["user", "create", "ann@example.com"])
        .good();
    let log_in = || {
        place
            .run(&["token", "create", "--user", &id, "--purpose", "access"])
            .good()
    };
    let (one, two) = (log_in(), log_in());
    let sessions = place.run(&["--json", "user", "sessions", &id]).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2);

    for command in ["revoke", "deactivate", "delete", "set-password"] {
        place
            .run_with(PASSWORD, &["user", command, &id])
            .refused(2, "2 sessions");
    }
    place.run(&["token", "validate", &one]).good();
    assert_eq!(
        place.run(&["--json", "user", "revoke", &id, "--yes"]).json()["sessions_ended"],
        2
    );
    place
        .run(&["token", "validate", &one])
        .refused(1, "token_revoked");
    place
        .run(&["token", "validate", &two])
        .refused(1, "token_revoked");

    let three = log_in();
    place
        .run_with(
            "another quite fine Passw0rd",
            &["user", "set-password", &id, "--yes"],
        )
        .good();
    place
        .run(&["token", "validate", &three])
        .refused(1, "token_revoked");
    let four = log_in();
    place.run(&["user", "deactivate", &id, "--yes"]).good();
    place
        .run(&["token", "validate", &four])
        .refused(1, "token_revoked");
    place
        .run(&["token", "create", "--user", &id, "--purpose", "access"])
        .refused(1, "active account");
}
