//! A mailer, its worker and a mail server, on a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use gatepost_mail::testing::SmtpSink;
use gatepost_mail::transport::SmtpOptions;
use gatepost_mail::transport::smtp::{Smtp, SmtpSpec, Timeouts};
use gatepost_mail::wire::MailRequest;
use gatepost_mail::worker::{FaultHook, FaultPoint};
use gatepost_mail::{
    AccountLetters, Delivery, DeliveryWithTimeline, EmailAddress, Enqueued, Idempotency, MailError, Mailer,
    MailerSettings, NoAccountLetters, Sealer, Templates, Transport, TransportSetup, Worker,
};
use gatepost_messaging::{Broker, Queues};
use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Store, Timestamp};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::databases::{Database, Stores as _};

pub(crate) struct Rig {
    pub(crate) db: Database,
    pub(crate) clock: ManualClock,
    pub(crate) store: Store,
    pub(crate) sink: SmtpSink,
    pub(crate) mailer: Mailer,
    pub(crate) accounts: Arc<dyn AccountLetters>,
}

pub(crate) fn address(local: &str) -> EmailAddress {
    format!("{local}@example.com").parse().unwrap()
}

pub(crate) fn message(to: &str) -> MailRequest {
    let to = address(to);
    MailRequest::from_value(
        &json!({"to_email": to, "template_data": {"title": "Hello", "message": "A word"}}),
    )
    .unwrap()
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(&SecretString::from("0123456789abcdef".repeat(4)), &[]).unwrap()
}

impl Rig {
    pub(crate) async fn new(db: Database) -> Self {
        let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
        let store = db.store(clock.clock()).await;
        let settings = MailerSettings::new("Gatepost <noreply@gatepost.test>".parse().unwrap());
        let mailer = Mailer::new(&store, Templates::built_in().unwrap(), sealer(), settings);
        let sink = SmtpSink::start().unwrap();
        Self {
            db,
            clock,
            store,
            sink,
            mailer,
            accounts: Arc::new(NoAccountLetters),
        }
    }

    /// Lets letters come back to tagged addresses.
    pub(crate) fn bounce_to(&mut self, address: &str) {
        let settings = MailerSettings {
            bounce_address: Some(address.parse().unwrap()),
            ..self.mailer.settings().clone()
        };
        let templates = Templates::built_in().unwrap();
        self.mailer = Mailer::new(&self.store, templates, sealer(), settings);
    }

    pub(crate) fn smtp(&self) -> Transport {
        let mut spec: SmtpSpec = self.sink.url().parse().unwrap();
        spec.timeouts = Timeouts::each(Duration::from_secs(2));
        Transport::smtp(Smtp::from_spec(spec, None).unwrap())
    }

    pub(crate) fn transport(&self, spec: &str) -> Transport {
        let setup = TransportSetup {
            store: &self.store,
            sealer: self.mailer.sealer(),
            smtp: &SmtpOptions::default(),
        };
        Transport::parse(spec, &setup).unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_through(self.smtp())
    }

    pub(crate) fn worker_through(&self, transport: Transport) -> Worker {
        self.mailer
            .worker(Broker::embedded(&self.store), transport)
            .account_letters(Arc::clone(&self.accounts))
            .wire_queue("email_queue")
    }

    /// Sends what can be sent now.
    pub(crate) async fn work(&self) {
        self.worker().run_pending().await.unwrap();
    }

    /// Moves on and sends what can be sent then.
    pub(crate) async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.work().await;
    }

    /// Works until a letter reaches `point`, and dies there.
    pub(crate) async fn crash_at(&self, point: FaultPoint) {
        let (reached, mut there) = tokio::sync::mpsc::unbounded_channel();
        let hook: FaultHook = Arc::new(move |at, _| {
            let reached = reached.clone();
            Box::pin(async move {
                if at == point {
                    reached.send(()).unwrap();
                    std::future::pending::<()>().await;
                }
            })
        });
        let work = tokio::spawn(self.worker().fault_hook(hook).run_pending());
        there.recv().await.unwrap();
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn enqueue(&self, request: MailRequest) -> Uuid {
        self.try_enqueue(request, None).await.unwrap().id
    }

    pub(crate) async fn try_enqueue(
        &self,
        request: MailRequest,
        key: Option<Idempotency>,
    ) -> Result<Enqueued, MailError> {
        let mailer = self.mailer.clone();
        self.store
            .run_tx("test", move |tx| {
                let (mailer, request, key) = (mailer.clone(), request.clone(), key.clone());
                Box::pin(async move { mailer.enqueue_request(tx, &request, key.as_ref()).await })
            })
            .await
    }

    pub(crate) async fn show(&self, id: Uuid) -> DeliveryWithTimeline {
        self.mailer.show(id).await.unwrap().unwrap()
    }

    pub(crate) async fn delivery(&self, id: Uuid) -> Delivery {
        self.show(id).await.delivery
    }

    pub(crate) async fn state(&self, id: Uuid) -> String {
        self.delivery(id).await.state
    }

    pub(crate) async fn events(&self, id: Uuid) -> Vec<String> {
        self.show(id)
            .await
            .timeline
            .into_iter()
            .map(|event| event.event)
            .collect()
    }

    /// Waiting, in hand, or put off; and dead.
    pub(crate) async fn queued(&self) -> (u64, u64) {
        let all = Queues::new(&self.store).list().await.unwrap();
        let alive = all.iter().map(|q| q.ready + q.delayed + q.in_hand).sum();
        (alive, all.iter().map(|q| q.dead).sum())
    }

    /// How many letters of a Message-ID came, for every one that came.
    pub(crate) fn copies(&self, id: Uuid) -> usize {
        let header = format!("<{id}@gatepost.test>");
        self.sink
            .received()
            .iter()
            .filter(|mail| mail.message_id == header)
            .count()
    }
}
