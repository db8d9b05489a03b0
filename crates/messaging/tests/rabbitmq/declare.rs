//! A topology that is not there yet.

use std::time::Duration;

use gatepost_messaging::{Error, Topology};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::FieldTable;

use crate::shared::{self, Other, unique};

#[tokio::test]
async fn a_declared_queue_has_its_dead_letters_and_its_delays() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue = unique("declare");
    let topology = Topology::new().queue(&queue, |q| {
        q.retries(&[Duration::from_millis(200), Duration::from_secs(5)])
    });
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    assert!(
        broker.declare(&topology).await.unwrap().is_empty(),
        "the second time as well"
    );

    // What is put onto a delay flows back.
    let rung = format!("{queue}.retry.200ms");
    other
        .channel()
        .basic_publish(
            "".into(),
            rung.as_str().into(),
            BasicPublishOptions::default(),
            b"again",
            BasicProperties::default().with_delivery_mode(2),
        )
        .await
        .unwrap();
    assert_eq!(other.depth(&queue, 1).await, 1);
    other.delete_all(&queue, &["200ms", "5s"]).await;
}

#[tokio::test]
async fn python_may_declare_a_plain_queue_after_us() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue = unique("plain");
    let topology = Topology::new().queue(&queue, |q| q.plain().retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    other
        .declare(&queue, true, FieldTable::default())
        .await
        .expect("queue_declare(durable=True)");
    other.delete_all(&queue, &[]).await;
}

#[tokio::test]
async fn a_name_that_no_broker_takes_is_refused_at_once() {
    let broker = shared::broker().await;
    let refused = broker.declare(&Topology::new().queue("a\nb", |q| q)).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}
