//! `gatepost key`.

use serde_json::Value;

use crate::place::{Place, on_both};

on_both!(a_key_is_made_rotated_and_retired);

fn keys(place: &Place) -> Vec<Value> {
    let listed = place.run(&["--json", "key", "list"]).json();
    listed["items"].as_array().unwrap().clone()
}

fn of<'a>(keys: &'a [Value], kid: &str) -> &'a Value {
    keys.iter().find(|key| key["kid"] == kid).unwrap()
}

fn token(place: &Place) -> String {
    place
        .run(&["token", "create", "--user", "42", "--purpose", "activate"])
        .good()
}

fn a_key_is_made_rotated_and_retired(place: &Place) {
    let derived = keys(place);
    assert_eq!(derived.len(), 7, "one for each built-in purpose: {derived:?}");
    assert!(
        derived
            .iter()
            .all(|key| key["derived"] == true && key["state"] == "signing")
    );
    let old = token(place);
    place
        .run(&["key", "generate", "--algorithm", "none"])
        .refused(2, "no algorithm is called `none`");
    place
        .run(&["key", "generate", "--purpose", "dance"])
        .refused(2, "`dance`");
    let es256 = [
        "--json",
        "key",
        "generate",
        "--algorithm",
        "ES256",
        "--purpose",
        "activate",
        "--now",
    ];
    let made = place.run(&es256).json();
    let kid = made["kid"].as_str().unwrap();
    assert_eq!(
        (&made["state"], &made["algorithm"]),
        (&"signing".into(), &"ES256".into())
    );
    let new = token(place);
    let inspected = place.run(&["--json", "token", "inspect", &new]).json();
    assert_eq!(
        (&inspected["header"]["kid"], &inspected["verdict"]),
        (&kid.into(), &"good".into())
    );
    place.run(&["token", "validate", &old]).good();

    // Announced first; then an emergency.
    let next = place.run(&["--json", "key", "rotate", kid]).json();
    assert_eq!(
        (&next["state"], &next["algorithm"]),
        (&"announced".into(), &"ES256".into())
    );
    place.run(&["key", "retire", kid]).refused(2, "--yes");
    place.run(&["key", "retire", kid, "--yes"]).refused(1, "--now");
    let now = place.run(&["--json", "key", "rotate", kid, "--now"]).json();
    assert_eq!(of(&keys(place), kid)["state"], "verifying");
    place.run(&["token", "validate", &new]).good();
    place.run(&["key", "retire", kid, "--yes"]).good();
    place
        .run(&["token", "validate", &new])
        .refused(1, "token_malformed");
    place.run(&["token", "validate", &old]).good();
    // Names of keys that were made elsewhere may begin like an option.
    for nobody in ["nobody", "-jID4cQI", "-hID4cQI"] {
        place
            .run(&["key", "retire", nobody, "--yes"])
            .refused(1, "key list");
    }
    let listed = keys(place);
    assert_eq!(of(&listed, kid)["state"], "retired");
    assert_eq!(of(&listed, now["kid"].as_str().unwrap())["state"], "signing");
    let text = place.run(&["key", "list"]).good();
    assert!(
        text.starts_with("KID") && text.contains("of the secret"),
        "{text}"
    );

    // Of the secret, for access tokens: its successor is a key of its own.
    let access = derived.iter().find(|key| key["purposes"][0] == "access").unwrap();
    let rotated = place.run(&["--json", "key", "rotate"]).json();
    assert_eq!(
        (&rotated["purposes"][0], &rotated["algorithm"], &rotated["state"]),
        (&"access".into(), &"HS256".into(), &"announced".into())
    );
    assert_eq!(
        of(&keys(place), access["kid"].as_str().unwrap())["state"],
        "signing"
    );
}

#[test]
fn a_key_that_was_made_elsewhere_is_taken_over() {
    let place = Place::sqlite();
    let file = place.path("key.json");
    // RFC 8037 A.1.
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    std::fs::write(&file, jwk).unwrap();
    let file = file.to_str().unwrap();
    let made = place
        .run(&["--json", "key", "generate", "--from", file, "--now"])
        .json();
    assert_eq!(made["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(!made.to_string().contains("nWGxne"));
    place
        .run(&["key", "generate", "--from", file])
        .refused(1, "already");
    place
        .run(&["key", "generate", "--from", file, "--algorithm", "ES256"])
        .refused(2, "EdDSA");
    let broken = place.path("broken.pem");
    std::fs::write(
        &broken,
        "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----",
    )
    .unwrap();
    let broken = broken.to_str().unwrap();
    place
        .run(&["key", "generate", "--from", broken])
        .refused(2, "--algorithm");
    place
        .run(&["key", "generate", "--from", broken, "--algorithm", "ES256"])
        .refused(2, "PEM");
    place
        .run(&["key", "generate", "--from", "nowhere.pem"])
        .refused(2, "nowhere.pem");
}
