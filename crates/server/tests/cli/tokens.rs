//! `gatepost token` and `blacklist`.

use crate::place::{Place, on_both};

on_both!(
    a_one_time_token_is_used_once_of_eight_callers,
    what_a_token_says_is_shown_and_not_believed,
    a_user_need_not_be_an_account_to_be_revoked,
    what_has_expired_is_pruned,
);

fn create(place: &Place, more: &[&str]) -> String {
    let mut arguments = vec!["token", "create", "--user", "42", "--purpose", "activate"];
    arguments.extend(more);
    place.run(&arguments).good()
}

fn a_one_time_token_is_used_once_of_eight_callers(place: &Place) {
    let token = create(place, &[]);
    let kept = place
        .run(&[
            "--json",
            "token",
            "verify",
            &token,
            "--purpose",
            "activate",
            "--keep",
        ])
        .json();
    assert_eq!(
        (kept["user_id"].as_str(), kept["consumed"].as_bool()),
        (Some("42"), Some(false))
    );
    place
        .run(&["token", "verify", &token, "--purpose", "socket"])
        .refused(1, "token_wrong_purpose");
    place
        .run(&["token", "verify", &token, "--purpose", "nonsense"])
        .refused(2, "nonsense");

    let callers: Vec<_> = (0..8)
        .map(|_| place.start(&["token", "verify", &token, "--purpose", "activate"]))
        .collect();
    let codes: Vec<_> = callers
        .into_iter()
        .map(|child| child.wait_with_output().unwrap().status.code())
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == Some(0)).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == Some(1)).count(),
        7,
        "{codes:?}"
    );
    place
        .run_with(&token, &["token", "verify", "-", "--purpose", "activate"])
        .refused(1, "token_used");
}

fn what_a_token_says_is_shown_and_not_believed(place: &Place) {
    let token = create(place, &["--lifetime", "3h"]);
    let text = place.run(&["token", "inspect", &token]).good();
    assert!(
        text.contains("in 3 hours") && text.contains("signed here, in time, for activate"),
        "{text}"
    );
    let forged = format!("{}.AAAA", token.rsplit_once('.').unwrap().0);
    let seen = place.run(&["--json", "token", "inspect", &forged]).json();
    assert_eq!(seen["claims"]["sub"], "42");
    assert_eq!(seen["verdict"], "token_malformed");
    place
        .run(&["token", "inspect", "no token at all"])
        .refused(1, "no token");
    place
        .run(&["token", "create", "--user", "42", "--purpose", "refresh"])
        .refused(1, "active account");
    place
        .run(&[
            "token",
            "create",
            "--user",
            "42",
            "--purpose",
            "activate",
            "--lifetime",
            "30",
        ])
        .refused(2, "duration");
}

fn a_user_need_not_be_an_account_to_be_revoked(place: &Place) {
    let (one, two) = (create(place, &[]), create(place, &[]));
    assert_eq!(
        place.run(&["--json", "token", "revoke", &one]).json()["revoked"],
        true
    );
    place
        .run(&["token", "validate", &one])
        .refused(1, "token_revoked");
    place.run(&["token", "validate", &two]).good();
    place
        .run(&["token", "revoke", "--user", "42"])
        .refused(2, "--yes");
    place.run(&["token", "revoke", "--user", "42", "--yes"]).good();
    place
        .run(&["token", "validate", &two])
        .refused(1, "token_revoked");
    place.run(&["token", "validate", &create(place, &[])]).good();
}

fn what_has_expired_is_pruned(place: &Place) {
    for lifetime in ["1s", "1h"] {
        let token = create(place, &["--lifetime", lifetime]);
        // A machine that is busy may need more than the second: expired is as good for what is looked at here.
        place.run(&["token", "verify", &token, "--purpose", "activate"]);
    }
    let count = || place.run(&["--json", "blacklist", "count"]).json();
    let mut before = count();
    while before["count"] == 2 && before["expired"] == 0 {
        before = count();
    }
    let pruned = place.run(&["--json", "blacklist", "prune"]).json();
    assert_eq!(pruned["pruned"], before["expired"]);
    assert_eq!(
        (count()["count"].as_i64(), count()["expired"].as_i64()),
        (Some(1), Some(0))
    );
}
