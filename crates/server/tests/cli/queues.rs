//! `gatepost queue`.

use crate::place::{Place, on_both};

on_both!(
    a_message_is_published_and_looked_at,
    a_broker_that_is_away_or_refuses_is_one_line
);

const NO_SUCH: &str = "0198c0de-7e57-7000-8000-000000000000";

fn a_message_is_published_and_looked_at(place: &Place) {
    let publish = ["queue", "publish", "billing", "--type", "order.paid", "--body"];
    let with = |more: &[&'static str]| {
        let mut arguments = publish.to_vec();
        arguments.extend(more);
        arguments
    };
    let id = place.run(&with(&[r#"{"order": 7}"#])).good();
    let piped = place
        .run_with(r#"{"order": 8}"#, &with(&["-", "--dedupe-key", "eight"]))
        .good();
    let again = place.run(&{
        let mut arguments = vec!["--json"];
        arguments.extend(with(&["{}", "--dedupe-key", "eight"]));
        arguments
    });
    let again = again.json();
    assert_eq!(
        (again["id"].as_str(), again["new"].as_bool()),
        (Some(piped.trim()), Some(false))
    );
    place.run(&with(&["order 7"])).refused(2, "no JSON");
    place
        .run(&with(&["{}", "--header", "x"]))
        .refused(2, "NAME=VALUE");
    place
        .run(&["queue", "publish", "gatepost.mail", "--type", "x", "--body", "1"])
        .refused(2, "gatepost.");

    let listed = place.run(&["--json", "queue", "list"]).json();
    let billing = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|queue| queue["queue"] == "billing");
    assert_eq!(billing.unwrap()["ready"], 2);
    assert!(place.run(&["queue", "list"]).good().contains("billing"));
    let peeked = place
        .run(&["--json", "queue", "peek", "billing", "--limit", "1"])
        .json();
    assert_eq!(peeked["items"][0]["id"].as_str(), Some(id.trim()));
    assert_eq!(peeked["next"].as_str(), Some(id.trim()));
    let text = place.run(&["queue", "peek", "billing", "--body"]).good();
    assert!(
        text.contains(r#"{"order": 7}"#) && text.contains(r#"{"order": 8}"#),
        "{text}"
    );

    assert!(
        place
            .run(&["queue", "peek", "billing.dead"])
            .good()
            .contains("none")
    );
    let replayed = place.run(&["--json", "queue", "replay", "billing"]).json();
    assert_eq!(replayed["replayed"], 0);
    place
        .run(&["queue", "replay", "billing", "--reason", "bad-luck"])
        .refused(2, "crash_loop");
    place
        .run(&["queue", "replay", "billing", "--id", NO_SUCH])
        .refused(1, "billing.dead");
    place
        .run(&["queue", "discard", "billing", NO_SUCH])
        .refused(2, "--yes");
    place
        .run(&["queue", "discard", "billing", NO_SUCH, "--yes"])
        .refused(1, "billing.dead");
    assert!(
        place
            .run(&["queue", "declare"])
            .good()
            .contains("nothing to declare")
    );
}

fn a_broker_that_is_away_or_refuses_is_one_line(place: &Place) {
    let mut away = place.again();
    away.set("GATEPOST__BROKER__URL", "amqp://127.0.0.1:1/%2f");
    // To publish is to insert a row.
    away.run(&["queue", "publish", "billing", "--type", "t", "--body", "1"])
        .good();
    away.run(&["queue", "peek", "billing"]).refused(3, "broker.url");
    away.run(&["queue", "list"]).refused(3, "broker.url");

    let url = std::env::var("GATEPOST_TEST_AMQP_URL")
        .expect("GATEPOST_TEST_AMQP_URL names a RabbitMQ for tests; `scripts/test` starts one");
    let (_, server) = url.rsplit_once('@').unwrap();
    let mut refused = place.again();
    refused.set("GATEPOST__BROKER__URL", &format!("amqp://nobody:s3cret@{server}"));
    let began = std::time::Instant::now();
    for arguments in [["queue", "list"].as_slice(), &["queue", "declare"]] {
        refused.run(arguments).refused(3, "the password");
    }
    assert!(
        began.elapsed() < std::time::Duration::from_secs(15),
        "{:?}: waiting changes nothing about a refusal",
        began.elapsed()
    );
}
