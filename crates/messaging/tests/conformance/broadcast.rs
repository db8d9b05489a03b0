//! Broadcasts: to every instance, best effort, and whoever may have missed one is told so.

use std::collections::BTreeSet;

use gatepost_messaging::{Broker, Error, Heard, Subscription};

use crate::world::{World, everywhere, soon};

everywhere!(
    every_subscription_of_this_process_hears_in_order,
    another_process_hears_it_or_is_told_to_look,
    who_is_too_slow_is_told_and_holds_up_nobody,
    a_topic_has_a_name,
);

/// Words go on RabbitMQ as soon as its queue stands, which it says by "missed"; elsewhere at once.
async fn listen(world: &World, broker: &Broker, prefix: &str) -> Subscription {
    let mut subscription = broker.subscribe(prefix);
    if world.is_rabbitmq() {
        let first = soon("the queue stands", subscription.next()).await;
        assert_eq!(first, Heard::Missed);
    }
    subscription
}

fn said(topic: &str, n: u32) -> Heard {
    Heard::Said {
        topic: topic.to_owned(),
        body: n.to_string().into_bytes(),
    }
}

async fn every_subscription_of_this_process_hears_in_order(world: World) {
    let broker = world.broker();
    let topic = format!("chat.{}", world.queue);
    // Nobody listening is normal.
    broker.broadcast(&topic, "lost").await.unwrap();
    let mut one = listen(&world, &broker, "chat.").await;
    let mut two = broker.subscribe(topic.clone());
    let mut other = broker.subscribe("other.");
    for n in 0..50 {
        broker.broadcast(&topic, n.to_string()).await.unwrap();
    }
    for n in 0..50 {
        // The exchange is everybody's: others' tests may be heard, too.
        let heard = soon("a word", async {
            loop {
                match one.next().await {
                    Heard::Said { topic: other, .. } if other != topic => {}
                    heard => return heard,
                }
            }
        });
        assert_eq!(heard.await, said(&topic, n));
        assert_eq!(soon("the same", two.next()).await, said(&topic, n));
    }
    broker.broadcast("other.topic", vec![0xff, 0x00]).await.unwrap();
    let heard = soon("the other", other.next()).await;
    let body = vec![0xff, 0x00];
    assert_eq!(
        heard,
        Heard::Said {
            topic: "other.topic".to_owned(),
            body
        }
    );
}

async fn another_process_hears_it_or_is_told_to_look(world: World) {
    let other = world.other_broker().await;
    let topic = format!("chat.{}", world.queue);
    let mut there = listen(&world, &other, &topic).await;
    let here = world.broker();
    let on_sqlite = !world.is_rabbitmq() && world.url.starts_with("sqlite");
    if on_sqlite {
        // Nothing is said between processes; what was written is seen.
        world.publish(1).await;
        assert_eq!(soon("somebody wrote", there.next()).await, Heard::Missed);
        world.drain().await;
        return;
    }
    let mut wanted = BTreeSet::new();
    let connected = async {
        // A listener that has just connected is told to look first.
        loop {
            here.broadcast(&topic, "hello").await.unwrap();
            let pause = std::time::Duration::from_millis(50);
            if let Ok(Heard::Said { .. }) = tokio::time::timeout(pause, there.next()).await {
                break;
            }
        }
    };
    soon("the other process listens", connected).await;
    for n in 0..40_u32 {
        here.broadcast(&topic, n.to_string()).await.unwrap();
        wanted.insert(n.to_string());
    }
    let all = async {
        while !wanted.is_empty() {
            if let Heard::Said { body, .. } = there.next().await {
                wanted.remove(&String::from_utf8(body).unwrap());
            }
        }
    };
    soon("all of them", all).await;
    here.broadcast(&topic, vec![b'x'; 20_000]).await.unwrap();
    let long = async {
        loop {
            match there.next().await {
                Heard::Said { body, .. } if body.len() == 20_000 => {
                    return Heard::Said {
                        topic: topic.clone(),
                        body,
                    };
                }
                Heard::Said { .. } => {}
                Heard::Missed => return Heard::Missed,
            }
        }
    };
    let heard = soon("the long one", long).await;
    assert_eq!(
        heard == Heard::Missed,
        !world.is_rabbitmq(),
        "what is too long is to be looked for"
    );
}

async fn who_is_too_slow_is_told_and_holds_up_nobody(world: World) {
    let broker = world.broker();
    let topic = format!("chat.{}", world.queue);
    let mut slow = listen(&world, &broker, &topic).await;
    let mut quick = broker.subscribe(topic.clone());
    let sending = async {
        for n in 0..1_500 {
            broker.broadcast(&topic, n.to_string()).await.unwrap();
        }
    };
    let hearing = async {
        let mut last = None;
        while last != Some("1499".to_owned()) {
            if let Heard::Said { body, .. } = quick.next().await {
                last = Some(String::from_utf8(body).unwrap());
            }
        }
    };
    soon("the quick one hears the last", async {
        tokio::join!(sending, hearing)
    })
    .await;
    assert_eq!(soon("the slow one", slow.next()).await, Heard::Missed);
    assert!(matches!(
        soon("and goes on", slow.next()).await,
        Heard::Said { .. }
    ));
}

async fn a_topic_has_a_name(world: World) {
    let broker = world.broker();
    for bad in ["", "with space", "with\nline", &"x".repeat(256)] {
        let refused = broker.broadcast(bad, "word").await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{bad:?}");
    }
}
