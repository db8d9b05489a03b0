//! RabbitMQ decides the ways as `Topology::route` says that it does, which the embedded broker goes by.

use gatepost_messaging::{Headers, Match, PublishError, Route, Topology};

use crate::shared::{self, Other, note, unique};

#[tokio::test]
async fn messages_go_where_the_topology_says() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let of = |what: &str| unique(what);
    let (topic, direct, fanout, headers) = (of("topic"), of("direct"), of("fanout"), of("headers"));
    let queues = [of("one"), of("two"), of("three")];
    let [one, two, three] = &queues;
    let mut topology = Topology::new()
        .topic(&topic)
        .direct(&direct)
        .fanout(&fanout)
        .headers(&headers);
    for queue in &queues {
        topology = topology.queue(queue, |q| q.classic().retries(&[]));
    }
    let topology = topology
        .bind(&topic, "order.*", one)
        .bind(&topic, "order.#", two)
        .bind(&topic, "#.paid", three)
        .bind(&topic, "*.*.late", three)
        .bind(&direct, "a", one)
        .bind(&direct, "b", two)
        .bind(&fanout, "", one)
        .bind(&fanout, "", three)
        .bind_headers(&headers, &[("n", "1"), ("m", "2")], Match::All, one)
        .bind_headers(&headers, &[("n", "1"), ("m", "2")], Match::Any, two);
    assert!(broker.declare(&topology).await.unwrap().is_empty());

    let mut expected = [0_u32; 3];
    let cases = [
        (&topic, "order", None),
        (&topic, "order.paid", None),
        (&topic, "order.paid.late", None),
        (&topic, "paid", None),
        (&topic, "bill.sent", None),
        (&topic, "", None),
        (&direct, "a", None),
        (&direct, "c", None),
        (&fanout, "whatever", None),
        (&headers, "", Some(("n", "1"))),
        (&headers, "", Some(("n", "2"))),
    ];
    for (nth, (exchange, key, header)) in cases.into_iter().enumerate() {
        let mut envelope = note("unused", 0);
        if let Some((name, value)) = header {
            envelope = envelope.header(name, value);
        }
        let sent: &Headers = &envelope.headers;
        let goes_to = topology.route(exchange, key, sent).unwrap();
        for (queue, count) in queues.iter().zip(&mut expected) {
            *count += u32::from(goes_to.contains(queue));
        }
        let outcome = broker
            .publish_envelope(Route::exchange(exchange, key), &envelope)
            .await;
        match outcome {
            Ok(_) => assert!(!goes_to.is_empty(), "case {nth}"),
            Err(PublishError::Returned) => assert!(goes_to.is_empty(), "case {nth}: {goes_to:?}"),
            Err(error) => panic!("case {nth}: {error}"),
        }
    }
    for (queue, count) in queues.iter().zip(expected) {
        assert_eq!(other.depth(queue, count).await, count);
    }
    for queue in &queues {
        other.delete_all(queue, &[]).await;
    }
    for exchange in [&topic, &direct, &fanout, &headers] {
        other.delete_exchange(exchange).await;
    }
}

#[tokio::test]
async fn nobody_listening_is_no_error_where_it_is_normal() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let events = unique("events");
    assert!(
        broker
            .declare(&Topology::new().topic(&events))
            .await
            .unwrap()
            .is_empty()
    );
    let route = Route::exchange(&events, "user.registered");
    let told = broker
        .publish_envelope(route.clone().optional(), &note("unused", 1))
        .await;
    assert!(told.is_ok(), "{told:?}");
    let told = broker.publish_envelope(route, &note("unused", 1)).await;
    assert!(matches!(told, Err(PublishError::Returned)), "{told:?}");
    other.delete_exchange(&events).await;
}
