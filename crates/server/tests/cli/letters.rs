//! `gatepost mail`.

use crate::place::{Place, on_both};

on_both!(
    a_letter_waits_for_its_worker_and_is_told_about,
    letters_are_paused_taken_back_and_explained,
    addresses_are_left_alone_by_hand,
);

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

fn letters_are_paused_taken_back_and_explained(place: &Place) {
    let send = |to: &str| {
        let mail = [
            "mail",
            "send",
            "--to",
            to,
            "--title",
            "Hello",
            "--message",
            "It works.",
        ];
        place.run(&mail).good()
    };
    place
        .run(&["mail", "pause", "--template", "newsleter"])
        .refused(2, "notification");
    let pause = [
        "mail",
        "pause",
        "--template",
        "notification",
        "--reason",
        "wrong prices",
    ];
    assert!(
        place
            .run(&pause)
            .good()
            .contains("letters of notification are paused")
    );
    let id = send("ann@example.com");
    let why = place.run(&["mail", "why", "ann@example.com"]).good();
    for words in [
        "a***@e***.com has no account here",
        "wrong prices",
        "waits for a worker",
        &id,
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    assert!(!why.contains("ann@"), "{why}");
    let listed = place.run(&["--json", "mail", "list"]).json();
    assert_eq!(listed["paused"][0]["template"], "notification");
    place
        .run(&["mail", "resume", "--template", "welcome"])
        .refused(1, "notification");
    assert_eq!(place.run(&["mail", "resume"]).good(), "letters go on");

    assert_eq!(place.run(&["mail", "cancel", &id]).good(), "1 letter cancelled");
    place.run(&["mail", "cancel", &id]).refused(1, "it is cancelled");
    place.run(&["mail", "resend", &id]).refused(1, "erased");
    place
        .run(&["mail", "resend", "0198c0de-7e57-7000-8000-000000000000"])
        .refused(1, "no delivery");
    for n in 0..3 {
        send(&format!("u{n}@example.com"));
    }
    place
        .run(&["mail", "cancel", "--template", "notificaton", "--yes"])
        .refused(2, "there is no template");
    let all = ["mail", "cancel", "--template", "notification"];
    place.run(&all).refused(2, "3 letters");
    let mut meant = all.to_vec();
    meant.push("--yes");
    assert_eq!(place.run(&meant).good(), "3 letters cancelled");
    let shown = place.run(&["mail", "show", &id]).good();
    assert!(shown.contains("cancelled") && shown.contains("by cli"), "{shown}");
    let nobody = place.run(&["mail", "why", "nobody@example.com"]).good();
    assert!(nobody.contains("No letter to it is known"), "{nobody}");
}

fn addresses_are_left_alone_by_hand(place: &Place) {
    assert_eq!(place.run(&["mail", "suppress", "list"]).good(), "There is none.");
    let add = [
        "mail",
        "suppress",
        "add",
        "ann@example.com",
        "--reason",
        "asked us to",
    ];
    assert!(place.run(&add).good().contains("is left alone"));
    assert!(place.run(&add).good().contains("already"));
    let listed = place.run(&["--json", "mail", "suppress", "list"]).json();
    assert_eq!(
        (&listed["items"][0]["to"], &listed["items"][0]["source"]),
        (&"a***@e***.com".into(), &"hand".into())
    );
    let why = place.run(&["mail", "why", "ann@example.com"]).good();
    assert!(
        why.contains("asked us to") && why.contains("one account letter in 24 hours"),
        "{why}"
    );
    place
        .run(&["mail", "suppress", "remove", "Ann@Example.com"])
        .good();
    place
        .run(&["mail", "suppress", "remove", "ann@example.com"])
        .refused(1, "not suppressed");
}

#[test]
fn templates_are_ejected_changed_and_checked() {
    let mut place = Place::sqlite();
    place
        .run(&["mail", "eject", "welcome"])
        .refused(2, "mail.templates_dir");
    let folder = place.path("templates");
    let folder_text = folder.to_str().unwrap();
    place
        .run(&["mail", "eject", "welcome", "--to", folder_text])
        .good();
    place
        .run(&["mail", "eject", "welcome", "--to", folder_text])
        .refused(1, "--force");
    place.set("GATEPOST__MAIL__TEMPLATES_DIR", folder_text);
    let checked = place.run(&["--json", "mail", "check"]).json();
    assert_eq!(
        (&checked["ok"], checked["templates"].as_u64() >= Some(7)),
        (&true.into(), true)
    );
    let subject = folder.join("welcome/en/subject.txt.j2");
    std::fs::write(&subject, "Come in, {{ nobody }}").unwrap();
    let bad = place.run(&["mail", "check"]);
    assert!(
        bad.code == 1 && bad.out.contains("welcome/en/subject.txt.j2") && bad.out.contains("nobody"),
        "{bad:?}"
    );
    let bad = place.run(&["config", "check"]);
    assert!(
        bad.code == 1 && bad.out.contains("mail.templates_dir") && bad.out.contains("nobody"),
        "{bad:?}"
    );
    std::fs::write(&subject, "Come in").unwrap();
    assert!(
        place
            .run(&["mail", "preview", "welcome"])
            .good()
            .starts_with("Subject: Come in")
    );
    let raw = place.run(&["mail", "preview", "welcome", "--part", "raw"]).good();
    assert!(
        raw.contains("Subject: Come in\r\n") && raw.contains("Content-Type: multipart/alternative"),
        "{raw}"
    );

    // A letter of one's own, in a language that the others do not have.
    let own = folder.join("invoice/de");
    std::fs::create_dir_all(&own).unwrap();
    for (part, text) in [
        ("subject.txt", "Rechnung {{ n }}"),
        ("body.txt", "Nr. {{ n }}"),
        ("body.html", "<p>{{ n }}</p>"),
    ] {
        std::fs::write(own.join(format!("{part}.j2")), text).unwrap();
    }
    let bad = place.run(&["mail", "check"]);
    assert!(
        bad.code == 1 && bad.out.contains("invoice/sample.json"),
        "{bad:?}"
    );
    std::fs::write(folder.join("invoice/sample.json"), "{\"n\": 7}").unwrap();
    let good = place.run(&["mail", "check"]).good();
    assert!(
        good.contains("invoice has no en") && good.contains("welcome has no de"),
        "{good}"
    );
    assert!(
        place
            .run(&["mail", "preview", "invoice", "--locale", "fr"])
            .good()
            .contains("Nr. 7")
    );

    std::fs::remove_dir_all(&folder).unwrap();
    place.run(&["serve"]).refused(1, "mail.templates_dir");
    let bad = place.run(&["config", "check"]);
    assert!(bad.code == 1 && bad.out.contains("mail.templates_dir"), "{bad:?}");
}
