//! `gatepost apikey`.

use crate::place::{Place, on_both};

on_both!(a_key_is_shown_once);

fn a_key_is_shown_once(place: &Place) {
    let made = place
        .run(&[
            "apikey",
            "create",
            "shop",
            "--scope",
            "mail:send",
            "--scope",
            "tokens:create:activate",
        ])
        .good();
    assert!(made.starts_with("gp_") && made.lines().count() == 1, "{made}");
    place
        .run(&["apikey", "create", "shop", "--scope", "mail:send"])
        .refused(1, "that name");
    place
        .run(&["apikey", "create", "other", "--scope", "mail:eat"])
        .refused(2, "mail:eat");
    place.run(&["apikey", "create", "other"]).refused(2, "--scope");
    // Its name stands in lines of the audit and of lists.
    place
        .run(&["apikey", "create", "a\nb", "--scope", "mail:send"])
        .refused(2, "control character");

    let listed = place.run(&["--json", "apikey", "list"]).json();
    assert_eq!(listed["items"][0]["name"], "shop");
    assert_eq!(listed["items"][0]["scopes"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(&made));
    place.run(&["apikey", "revoke", "shop"]).refused(2, "1 key");
    place.run(&["apikey", "revoke", "shop", "--yes"]).good();
    place
        .run(&["apikey", "revoke", "shop", "--yes"])
        .refused(1, "apikey list");
    assert!(
        place
            .run(&["--json", "apikey", "create", "shop", "--scope", "*"])
            .json()["key"]
            .is_string()
    );
}
