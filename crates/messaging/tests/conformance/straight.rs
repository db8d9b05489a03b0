//! Publishing straight to a broker, without a transaction: the embedded one goes the ways of the declared exchanges.
//! (What RabbitMQ does is in `tests/rabbitmq`, which compares it with `Topology::route`.)

use gatepost_messaging::{Broker, Envelope, Match, Outgoing, PublishError, Route, Topology};
use uuid::Uuid;

use crate::world::{Note, World, on_both};

on_both!(
    a_message_goes_to_every_queue_that_is_bound,
    what_nobody_gets_is_returned_unless_that_is_normal,
    the_same_id_again_is_the_same_message,
);

async fn shop(world: &World) -> Broker {
    let broker = world.broker();
    let topology = Topology::new()
        .topic("shop")
        .headers("by-country")
        .queue("billing", |q| q)
        .queue("audit", |q| q)
        .bind("shop", "order.*", "billing")
        .bind("shop", "#", "audit")
        .bind_headers("by-country", &[("country", "ua")], Match::All, "billing");
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    broker
}

async fn ids(world: &World, queue: &str) -> Vec<Uuid> {
    let waiting = world.rows.peek(queue, None, 100).await.unwrap();
    waiting.into_iter().map(|message| message.id).collect()
}

async fn a_message_goes_to_every_queue_that_is_bound(world: World) {
    let broker = shop(&world).await;
    let both = broker
        .publish(Route::exchange("shop", "order.paid"), &Note { n: 1 })
        .await
        .unwrap();
    let one = broker
        .publish(Route::exchange("shop", "user.gone"), &Note { n: 2 })
        .await
        .unwrap();
    let straight = broker
        .publish(Route::queue("billing"), &Note { n: 3 })
        .await
        .unwrap();
    let (billing, audit) = (ids(&world, "billing").await, ids(&world, "audit").await);
    assert_eq!((billing.len(), audit.len()), (2, 2));
    assert!(billing.contains(&straight) && audit.contains(&one));
    // A row has one queue, so one of the copies has an id made of it.
    assert!(billing.contains(&both) ^ audit.contains(&both));

    let ua = Envelope::json("unused", "note", &Note { n: 4 })
        .unwrap()
        .header("country", "ua");
    broker
        .publish_envelope(Route::exchange("by-country", ""), &ua)
        .await
        .unwrap();
    assert_eq!(ids(&world, "billing").await.len(), 3);
}

async fn what_nobody_gets_is_returned_unless_that_is_normal(world: World) {
    let broker = shop(&world).await;
    let route = Route::exchange("by-country", "");
    let returned = broker.publish(route.clone(), &Note { n: 1 }).await;
    assert!(matches!(returned, Err(PublishError::Returned)), "{returned:?}");
    broker.publish(route.optional(), &Note { n: 1 }).await.unwrap();
    let nowhere = broker.publish(Route::exchange("none", "k"), &Note { n: 1 }).await;
    assert!(matches!(nowhere, Err(PublishError::NotSent(_))), "{nowhere:?}");
    assert!(ids(&world, "billing").await.is_empty() && ids(&world, "audit").await.is_empty());
}

async fn the_same_id_again_is_the_same_message(world: World) {
    let broker = shop(&world).await;
    let envelope = Envelope::json("unused", "note", &Note { n: 1 })
        .unwrap()
        .id(Uuid::from_u128(0x0198_c0de_7a11_7000_8000_0123_4567_89ab));
    let outgoing = Outgoing::new(Route::exchange("shop", "order.paid"), envelope);
    for outcome in broker.publish_batch(vec![outgoing; 3]).await {
        assert_eq!(
            outcome.unwrap(),
            Uuid::from_u128(0x0198_c0de_7a11_7000_8000_0123_4567_89ab)
        );
    }
    assert_eq!(
        (
            ids(&world, "billing").await.len(),
            ids(&world, "audit").await.len()
        ),
        (1, 1)
    );
}
