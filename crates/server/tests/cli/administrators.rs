//! `gatepost admin`.

use crate::place::{Place, on_both};

on_both!(links_are_printed_for_who_needs_one);

fn links_are_printed_for_who_needs_one(place: &Place) {
    let first = place.run(&["--json", "admin", "link"]).json();
    let url = first["url"].as_str().unwrap();
    assert!(
        url.starts_with("http://127.0.0.1:8080/console/set-up?token="),
        "{url}"
    );
    assert_eq!(first["expires_in"], 900);

    let made = place
        .run(&["--json", "admin", "create", "Ann@Example.com"])
        .json();
    assert_ne!(made["url"], first["url"]);
    place
        .run(&["admin", "create", "ann@example.com"])
        .refused(1, "admin reset");
    let listed = place.run(&["--json", "admin", "list"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["set_up"], false);

    place
        .run(&["admin", "reset", "ann@example.com"])
        .refused(2, "1 administrator");
    let again = place.run(&["admin", "reset", "ann@example.com", "--yes"]).good();
    assert!(again.contains("/console/set-up?token="), "{again}");
    place
        .run(&["admin", "reset", "nobody@example.com", "--yes"])
        .refused(1, "admin list");
}
