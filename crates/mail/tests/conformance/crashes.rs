//! Nothing is lost and twins are bounded, wherever a worker dies.

use std::time::Duration;

use gatepost_mail::worker::FaultPoint;
use gatepost_messaging::Queues;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, message};

on_both!(
    delivers_once,
    dies_between_any_two_steps,
    never_a_third_without_a_person,
    dies_after_the_dot_twice,
    dies_before_the_dot_again_and_again,
    two_workers_share_the_letters,
    the_old_worker_wakes_up,
    the_old_worker_wakes_up_at_the_dot,
);

/// After this nobody holds a letter of a dead worker.
const LEASES: Duration = Duration::from_secs(40);

async fn delivers_once(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("ok")).await;
    assert_eq!(rig.state(id).await, "waiting");
    rig.work().await;

    let shown = rig.show(id).await;
    assert_eq!(
        (shown.delivery.state.as_str(), shown.delivery.attempts),
        ("sent", 0)
    );
    assert_eq!(shown.delivery.to.as_deref(), Some("o***@e***.com"));
    assert_eq!(shown.delivery.reply.as_deref(), Some("250 2.0.0 kept"));
    assert_eq!(rig.events(id).await, ["queued", "sending", "sent"]);
    assert_eq!(rig.queued().await, (0, 0));
    let received = rig.sink.received();
    assert_eq!((received.len(), rig.copies(id)), (1, 1));
    assert!(received[0].text().contains("A word"));
    assert_eq!(received[0].from, "noreply@gatepost.test");

    rig.later(LEASES).await;
    assert_eq!(rig.sink.received().len(), 1);
}

async fn dies_between_any_two_steps(db: Database) {
    let rig = Rig::new(db).await;
    for (point, copies) in [
        (FaultPoint::Claimed, 1),
        (FaultPoint::SendingNoted, 1),
        (FaultPoint::DotNoted, 1),
        // Taken and not noted: the one window in which a twin is made, under the same Message-ID.
        (FaultPoint::Accepted, 2),
        (FaultPoint::SentNoted, 1),
    ] {
        let id = rig.enqueue(message("ok")).await;
        rig.crash_at(point).await;
        rig.work().await;
        if point != FaultPoint::SentNoted {
            assert_ne!(
                rig.state(id).await,
                "sent",
                "{point:?}: the lease of the dead worker still holds"
            );
        }
        rig.later(LEASES).await;
        rig.later(LEASES).await;
        assert_eq!(
            (rig.state(id).await.as_str(), rig.copies(id)),
            ("sent", copies),
            "{point:?}"
        );
        rig.later(LEASES).await;
        assert_eq!(rig.copies(id), copies, "{point:?}");
        assert_eq!(rig.queued().await, (0, 0), "{point:?}");
    }
}

async fn never_a_third_without_a_person(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("dropafterdot-1")).await;
    rig.work().await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("deferred", 1));
    rig.later(Duration::from_secs(20)).await;
    assert_eq!(rig.copies(id), 1, "an unanswered letter rests");
    rig.later(Duration::from_mins(1)).await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("unknown", 2));
    assert_eq!(rig.queued().await, (0, 1));
    for _ in 0..5 {
        rig.later(Duration::from_hours(6)).await;
    }
    assert_eq!(rig.copies(id), 2);
    assert_eq!(
        rig.events(id).await,
        ["queued", "sending", "unanswered", "unknown"]
    );

    // A person decides to send it again.
    let queues = Queues::new(&rig.store);
    assert!(queues.replay("gatepost.mail", id).await.unwrap());
    rig.work().await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("deferred", 3));
}

async fn dies_after_the_dot_twice(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("ok")).await;
    for _ in 0..2 {
        rig.crash_at(FaultPoint::Accepted).await;
        rig.clock.advance(LEASES);
    }
    assert_eq!(rig.copies(id), 2);
    rig.later(LEASES).await;
    rig.later(LEASES).await;
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("unknown", 2));
    assert_eq!(rig.queued().await, (0, 1));
}

async fn dies_before_the_dot_again_and_again(db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("ok")).await;
    for _ in 0..5 {
        rig.crash_at(FaultPoint::SendingNoted).await;
        rig.clock.advance(LEASES);
    }
    rig.work().await;
    let shown = rig.show(id).await;
    assert_eq!(
        (shown.delivery.state.as_str(), rig.sink.received().len()),
        ("failed", 0)
    );
    assert_eq!(
        rig.queued().await,
        (0, 1),
        "it seems to kill its worker, a person should look"
    );
}

async fn two_workers_share_the_letters(db: Database) {
    let rig = Rig::new(db).await;
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(rig.enqueue(message(&format!("ok-{n}"))).await);
    }
    tokio::join!(rig.work(), rig.work(), rig.work());
    rig.work().await;
    for id in ids {
        assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
    }
}

/// A worker that was stopped for long (a laptop's lid) must not send what another one took over.
async fn the_old_worker_wakes_up(db: Database) {
    wakes_up_at(FaultPoint::SendingNoted, db).await;
}

/// The same, when all that was left to do was to send the dot.
async fn the_old_worker_wakes_up_at_the_dot(db: Database) {
    wakes_up_at(FaultPoint::DotNoted, db).await;
}

async fn wakes_up_at(point: FaultPoint, db: Database) {
    let rig = Rig::new(db).await;
    let id = rig.enqueue(message("ok")).await;
    let (reached, mut there) = tokio::sync::mpsc::unbounded_channel();
    let (wake, asleep) = tokio::sync::watch::channel(false);
    let hook: gatepost_mail::worker::FaultHook = std::sync::Arc::new(move |at, _| {
        let (reached, mut asleep) = (reached.clone(), asleep.clone());
        Box::pin(async move {
            if at == point {
                reached.send(()).unwrap();
                asleep.wait_for(|awake| *awake).await.unwrap();
            }
        })
    });
    let old = tokio::spawn(rig.worker().fault_hook(hook).run_pending());
    there.recv().await.unwrap();
    rig.clock.advance(LEASES);
    // The queue's lease is renewed by the old worker, which lives; the ledger's has run out. Whichever
    // of the two sends it, it is sent once.
    let other = rig.work();
    wake.send_replace(true);
    other.await;
    old.await.unwrap().unwrap();
    for _ in 0..3 {
        rig.later(LEASES).await;
    }
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
}
