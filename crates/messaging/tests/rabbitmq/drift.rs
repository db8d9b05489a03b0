//! What stands otherwise is used as it is, and said.

use gatepost_messaging::{Drift, Route, Topology};
use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::shared::{self, Other, note, unique};

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table(pairs: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in pairs {
        table.insert((*name).into(), value.clone());
    }
    table
}

/// Declares `queue` with `topology` where it stands as the other program made it; what differs, sorted. Checks
/// that it works, and that the other program can still declare it as before.
async fn drift(
    durable: bool,
    arguments: &[(&str, AMQPValue)],
    topology: impl FnOnce(Topology, &str) -> Topology,
) -> Vec<String> {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue = unique("drift");
    other.declare(&queue, durable, table(arguments)).await.unwrap();

    let drift = broker.declare(&topology(Topology::new(), &queue)).await.unwrap();
    let published = broker
        .publish_envelope(Route::queue(&queue), &note(&queue, 1))
        .await;
    assert!(published.is_ok(), "{published:?}");
    assert_eq!(other.depth(&queue, 1).await, 1, "the queue is still the same one");
    other
        .declare(&queue, durable, table(arguments))
        .await
        .expect("the other program declares it as before");
    other.delete_all(&queue, &[]).await;
    sentences(&drift, &queue)
}

fn sentences(drift: &Drift, name: &str) -> Vec<String> {
    let mut sentences: Vec<String> = drift
        .differences
        .iter()
        .map(|difference| difference.to_string().replace(name, "Q"))
        .collect();
    sentences.sort_unstable();
    sentences
}

fn plain(topology: Topology, queue: &str) -> Topology {
    topology.queue(queue, |q| q.plain().retries(&[]))
}

#[tokio::test]
async fn a_durable_queue_as_pika_makes_it_is_what_a_plain_one_should_be() {
    assert!(drift(true, &[], plain).await.is_empty());
}

#[tokio::test]
async fn a_queue_that_is_not_durable() {
    let differences = drift(false, &[], plain).await;
    assert_eq!(
        differences,
        ["queue Q: durable is false, Gatepost would have true"]
    );
}

#[tokio::test]
async fn a_durable_queue_with_dead_letter_arguments() {
    let arguments = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("email_retry")),
        ("x-message-ttl", AMQPValue::LongInt(86_400_000)),
    ];
    let differences = drift(true, &arguments, plain).await;
    assert_eq!(
        differences,
        [
            "queue Q: x-dead-letter-exchange is \"\", Gatepost would not set it",
            "queue Q: x-dead-letter-routing-key is email_retry, Gatepost would not set it",
            "queue Q: x-message-ttl is 86400000, Gatepost would not set it",
        ]
    );
}

#[tokio::test]
async fn everything_at_once() {
    let arguments = [
        ("x-max-priority", AMQPValue::LongInt(10)),
        ("x-expires", AMQPValue::LongInt(3_600_000)),
        ("x-max-length", AMQPValue::LongInt(1000)),
    ];
    let differences = drift(false, &arguments, plain).await;
    assert_eq!(
        differences,
        [
            "queue Q: durable is false, Gatepost would have true",
            "queue Q: x-expires is 3600000, Gatepost would not set it",
            "queue Q: x-max-length is 1000, Gatepost would not set it",
            "queue Q: x-max-priority is 10, Gatepost would not set it",
        ]
    );
}

#[tokio::test]
async fn a_quorum_queue_where_a_plain_one_is_wanted() {
    let differences = drift(true, &[("x-queue-type", text("quorum"))], plain).await;
    assert_eq!(
        differences,
        ["queue Q: x-queue-type is quorum, Gatepost would not set it"]
    );
}

#[tokio::test]
async fn a_classic_queue_where_a_quorum_queue_is_wanted() {
    let arguments = [("x-queue-type", text("classic"))];
    let differences = drift(true, &arguments, |topology, queue| {
        topology.queue(queue, |q| q.retries(&[]))
    })
    .await;
    assert!(
        differences.contains(&"queue Q: x-queue-type is classic, Gatepost would have quorum".to_owned()),
        "{differences:#?}"
    );
    assert!(
        differences.contains(
            &"queue Q: x-dead-letter-routing-key is not set, Gatepost would have Q.dead".to_owned()
        ),
        "{differences:#?}"
    );
}

#[tokio::test]
async fn an_exchange_of_another_kind() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let name = unique("exchange");
    other
        .channel()
        .exchange_declare(
            name.as_str().into(),
            ExchangeKind::Direct,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let drift = broker.declare(&Topology::new().topic(&name)).await.unwrap();
    assert_eq!(
        sentences(&drift, &name),
        [
            "exchange Q: durable is false, Gatepost would have true",
            "exchange Q: type is direct, Gatepost would have topic",
        ]
    );
    other.delete_exchange(&name).await;
}
