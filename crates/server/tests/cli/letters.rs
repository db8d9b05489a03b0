//! `gatepost mail`.

use crate::place::{Place, on_both};

on_both!(a_letter_waits_for_its_worker_and_is_told_about);

fn a_letter_waits_for_its_worker_and_is_told_about(place: &Place) {
    let send = [
        "mail",
        "send",
        "--to",
        "ann@example.com",
        "--title",
        "Hello",
        "--message",
        "It works.",
    ];
    let id = place.run(&send).good();
    let mut waiting = send.to_vec();
    waiting.extend(["--wait", "--timeout", "200ms"]);
    place.run(&waiting).refused(3, "gatepost serve");

    let listed = place
        .run(&["--json", "mail", "list", "--state", "waiting"])
        .json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][1]["to"], "a***@e***.com");
    place
        .run(&["mail", "list", "--state", "lost"])
        .refused(2, "superseded");
    let shown = place.run(&["mail", "show", &id]).good();
    assert!(shown.contains("queued") && !shown.contains("ann@"), "{shown}");
    place
        .run(&["mail", "show", "0198c0de-7e57-7000-8000-000000000000"])
        .refused(1, "mail list");

    place
        .run(&["mail", "send", "--to", "ann@example.com", "--template", "no_such"])
        .refused(2, "no_such");
    place
        .run(&[
            "mail",
            "send",
            "--to",
            "ann@example.com",
            "--template",
            "activate_account",
        ])
        .refused(2, "activate_account");
    let preview = place
        .run(&["mail", "preview", "activate_account", "--locale", "uk"])
        .good();
    assert!(preview.starts_with("Subject: "), "{preview}");
    assert!(
        place
            .run(&["mail", "preview", "welcome", "--html"])
            .good()
            .contains("<html")
    );
    place
        .run(&["mail", "preview", "nonsense"])
        .refused(2, "activate_account");
}
