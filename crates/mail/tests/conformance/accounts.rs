//! Account letters: made when they are sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use gatepost_mail::letter::ActivateAccount;
use gatepost_mail::{About, AccountIntent, AccountLetters, MailError, Resolution, Resolved};
use gatepost_storage::{Timestamp, Tx};
use serde_json::json;
use uuid::Uuid;

use crate::databases::{Database, on_both};
use crate::rig::{Rig, address, message};

on_both!(
    a_link_begins_to_live_when_it_is_sent,
    a_newer_one_stands_for_the_older,
    news_are_not_replaced,
    too_late_is_never_sent,
    what_is_no_longer_needed_is_not_sent,
    a_failing_hook_is_a_letter_not_noted,
    who_is_left_alone_gets_one_account_letter_a_day,
);

/// Mints `token-<message id>-<seconds>`.
#[derive(Default)]
struct Accounts {
    sent: Mutex<Vec<(String, Uuid)>>,
    skip: Mutex<bool>,
    fail_sent: Mutex<u32>,
}

impl AccountLetters for Accounts {
    fn resolve<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        intent: &'a AccountIntent,
        message_id: Uuid,
    ) -> BoxFuture<'a, Result<Resolution, MailError>> {
        Box::pin(async move {
            if *self.skip.lock().unwrap() {
                return Ok(Resolution::Skip("the account is active".into()));
            }
            let About::User(user) = &intent.about else {
                panic!("{intent:?}")
            };
            let link = format!("https://x.test/a?token=token-{message_id}-{}", tx.now().as_secs());
            let letter = ActivateAccount {
                link: link.into(),
                asked_at: serde_json::from_value(intent.data["asked_at"].clone())?,
                lifetime: 1800,
            };
            let data = serde_json::to_value(letter)?;
            Ok(Resolution::Send(Resolved {
                to: address(user),
                data,
                locale: None,
            }))
        })
    }

    fn sent<'a>(
        &'a self,
        _: &'a mut Tx<'_>,
        intent: &'a AccountIntent,
        message_id: Uuid,
    ) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let mut fail = self.fail_sent.lock().unwrap();
            if *fail > 0 {
                *fail -= 1;
                return Err(MailError::Account("not now".into()));
            }
            drop(fail);
            self.sent.lock().unwrap().push((intent.about_user(), message_id));
            Ok(())
        })
    }
}

trait AboutUser {
    fn about_user(&self) -> String;
}

impl AboutUser for AccountIntent {
    fn about_user(&self) -> String {
        match &self.about {
            About::User(user) => user.clone(),
            About::Registration(id) => id.to_string(),
        }
    }
}

async fn rig(db: Database) -> (Rig, Arc<Accounts>) {
    let mut rig = Rig::new(db).await;
    let accounts = Arc::new(Accounts::default());
    rig.accounts = accounts.clone();
    (rig, accounts)
}

async fn ask(rig: &Rig, user: &str, life: Duration, replaces_older: bool) -> Uuid {
    let now = rig.store.now();
    let intent = AccountIntent {
        letter: "activate_account".into(),
        about: About::User(user.into()),
        generation: Some(1),
        expires_at: Some(now + life),
        locale: "en".into(),
        replaces_older,
        data: json!({"asked_at": now}),
    };
    let mailer = rig.mailer.clone();
    let id = rig.store.run_tx("test", move |tx| {
        let (mailer, intent) = (mailer.clone(), intent.clone());
        Box::pin(async move { mailer.enqueue_intent(tx, &intent).await })
    });
    id.await.unwrap()
}

const DAY: Duration = Duration::from_hours(24);

async fn a_link_begins_to_live_when_it_is_sent(db: Database) {
    let (rig, accounts) = rig(db).await;
    let id = ask(&rig, "ok", DAY, true).await;
    rig.sink.set_up(false);
    rig.work().await;
    for _ in 0..40 {
        rig.later(Duration::from_mins(1)).await;
    }
    assert!(accounts.sent.lock().unwrap().is_empty());
    rig.sink.set_up(true);
    // The letter waits for its hour and the server for its probe, both drawn by chance.
    for _ in 0..10 {
        if rig.copies(id) == 0 {
            rig.later(Duration::from_mins(2)).await;
        }
    }
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
    let text = rig.sink.received()[0].text();
    let minted = text.split(&format!("token-{id}-")).nth(1).unwrap();
    let minted: i64 = minted
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap();
    let age = rig.store.now().since(Timestamp::from_secs(minted));
    assert!(age <= Duration::from_mins(2), "{age:?}");
    assert_eq!(*accounts.sent.lock().unwrap(), [("ok".to_owned(), id)]);
}

async fn a_newer_one_stands_for_the_older(db: Database) {
    let (rig, _) = rig(db).await;
    let other = ask(&rig, "other", DAY, true).await;
    let first = ask(&rig, "ok", DAY, true).await;
    rig.clock.advance(Duration::from_secs(1));
    let second = ask(&rig, "ok", DAY, true).await;
    rig.work().await;
    assert_eq!(
        (rig.state(first).await.as_str(), rig.state(second).await.as_str()),
        ("superseded", "sent")
    );
    assert_eq!(rig.state(other).await, "sent");
    assert_eq!(
        (rig.copies(first), rig.copies(second), rig.queued().await),
        (0, 1, (0, 0))
    );
}

async fn news_are_not_replaced(db: Database) {
    let (rig, _) = rig(db).await;
    let first = ask(&rig, "ok", DAY, false).await;
    rig.clock.advance(Duration::from_secs(1));
    let second = ask(&rig, "ok", DAY, false).await;
    rig.work().await;
    assert_eq!((rig.copies(first), rig.copies(second)), (1, 1));
}

async fn too_late_is_never_sent(db: Database) {
    let (rig, _) = rig(db).await;
    rig.sink.set_up(false);
    let id = ask(&rig, "ok", Duration::from_mins(10), true).await;
    rig.work().await;
    for _ in 0..6 {
        rig.later(Duration::from_mins(2)).await;
    }
    assert_eq!(rig.state(id).await, "expired", "also while the server is down");
    rig.sink.set_up(true);
    rig.later(Duration::from_mins(2)).await;
    assert_eq!((rig.copies(id), rig.queued().await), (0, (0, 0)));
}

async fn what_is_no_longer_needed_is_not_sent(db: Database) {
    let (rig, accounts) = rig(db).await;
    *accounts.skip.lock().unwrap() = true;
    let id = ask(&rig, "ok", DAY, true).await;
    rig.work().await;
    let delivery = rig.delivery(id).await;
    assert_eq!(
        (delivery.state.as_str(), delivery.reply.as_deref()),
        ("cancelled", Some("the account is active"))
    );
    assert_eq!((rig.copies(id), rig.queued().await), (0, (0, 0)));
}

async fn a_failing_hook_is_a_letter_not_noted(db: Database) {
    let (rig, accounts) = rig(db).await;
    *accounts.fail_sent.lock().unwrap() = 2;
    let id = ask(&rig, "ok", DAY, true).await;
    rig.work().await;
    // Out, and noted at the third try: not sent twice for it.
    assert_eq!((rig.state(id).await.as_str(), rig.copies(id)), ("sent", 1));
    assert_eq!(accounts.sent.lock().unwrap().len(), 1);
}

async fn who_is_left_alone_gets_one_account_letter_a_day(db: Database) {
    let (rig, _) = rig(db).await;
    assert!(rig.mailer.suppress(&address("ok"), "complained").await.unwrap());
    assert!(
        !rig.mailer
            .suppress(&address("OK"), "complained again")
            .await
            .unwrap()
    );
    assert_eq!(rig.mailer.suppressions(0).await.unwrap()[0].to, "o***@e***.com");

    let bulk = rig.enqueue(message("ok")).await;
    rig.work().await;
    assert_eq!(
        (rig.state(bulk).await.as_str(), rig.copies(bulk)),
        ("suppressed", 0)
    );
    // The letter that has the day's turn keeps it over its retries.
    let first = ask(&rig, "ok", DAY, false).await;
    rig.sink.set_up(false);
    rig.work().await;
    assert_eq!(rig.state(first).await, "deferred");
    rig.sink.set_up(true);
    rig.later(Duration::from_mins(2)).await;
    assert_eq!((rig.state(first).await.as_str(), rig.copies(first)), ("sent", 1));
    assert!(rig.events(first).await.contains(&"let_through".to_owned()));

    let second = ask(&rig, "ok", DAY, false).await;
    rig.later(Duration::from_hours(23)).await;
    assert_eq!(rig.state(second).await, "suppressed");
    let next_day = ask(&rig, "ok", DAY, false).await;
    rig.later(Duration::from_hours(1)).await;
    assert_eq!(rig.state(next_day).await, "sent");

    // What a person said stays, whatever the mail server takes.
    let bulk = rig.enqueue(message("ok")).await;
    rig.work().await;
    assert_eq!(rig.state(bulk).await, "suppressed");
    assert!(rig.mailer.unsuppress(&address("OK")).await.unwrap());
    assert!(!rig.mailer.unsuppress(&address("ok")).await.unwrap());
    let bulk = rig.enqueue(message("ok")).await;
    rig.work().await;
    assert_eq!(rig.state(bulk).await, "sent");
}
