//! `gatepost config`, and what every command makes of a bad configuration.

use crate::place::Place;

#[test]
fn show_gives_each_value_its_source_and_masks_secrets() {
    let mut place = Place::sqlite();
    place.set("GATEPOST__STORAGE__URL", "postgres://app:hunter2@db.example/gate");
    place.set("GATEPOST__TOKENS__SECRET", "hunter2hunter2hunter2hunter2hunter2");
    std::fs::write(place.path("gatepost.toml"), "[http]\nbind = \"127.0.0.1:4000\"\n").unwrap();
    let text = place.run(&["config", "show"]).good();
    assert!(!text.contains("hunter2"), "{text}");
    let json = place.run(&["--json", "config", "show"]).json();
    let items = json["items"].as_array().unwrap();
    let find = |key: &str| items.iter().find(|item| item["key"] == key).unwrap().clone();
    assert_eq!(find("http.bind")["source"], "gatepost.toml");
    assert_eq!(find("storage.url")["value"], "postgres://app:***@db.example/gate");
    assert_eq!(find("storage.url")["source"], "GATEPOST__STORAGE__URL");
    assert_eq!(find("mail.from")["source"], "default");
}

#[test]
fn check_lists_everything_that_is_wrong_by_name() {
    let mut place = Place::sqlite();
    assert_eq!(
        place.run(&["config", "check"]).good(),
        "the configuration is good"
    );
    place.set("GATEPOST__MAIL__TRANSPROT", "capture");
    place.set("GATEPOST__MODULES", "accounts");
    let ran = place.run(&["config", "check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("did you mean mail.transport"), "{}", ran.out);
    place.run(&["user", "list"]).refused(1, "mail.transprot");

    let mut alone = Place::sqlite();
    alone.set("GATEPOST__TLS__CA_FILE", "/no/such/ca.pem");
    alone.set("GATEPOST__BROKER__URL", "amqps://127.0.0.1:1/%2f");
    assert!(alone.run(&["config", "check"]).out.contains("tls.ca_file"));
    alone.run(&["queue", "list"]).refused(1, "tls.ca_file");

    let mut plain = Place::sqlite();
    plain.set("GATEPOST__AUTH__REFRESH_COOKIE", "true");
    plain.set("GATEPOST__HTTP__PUBLIC_URL", "http://id.example.com");
    let json: serde_json::Value =
        serde_json::from_str(plain.run(&["--json", "config", "check"]).out.trim()).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["problems"][0]["key"], "auth.refresh_cookie");
    plain.run(&["serve"]).refused(1, "auth.refresh_cookie");
}

#[test]
fn another_file_can_be_named_and_must_be_there() {
    let place = Place::sqlite();
    std::fs::write(place.path("other.toml"), "[log]\nlevel = \"debug\"\n").unwrap();
    let text = place.run(&["config", "show", "--config", "other.toml"]).good();
    assert!(
        text.lines()
            .any(|line| line.starts_with("log.level") && line.contains("other.toml")),
        "{text}"
    );
    place
        .run(&["--config", "nowhere.toml", "config", "show"])
        .refused(1, "nowhere.toml");
}
