//! A database, a virtual host, and a mail server.

use std::time::Duration;

use gatepost_mail::testing::SmtpSink;
use gatepost_mail::transport::SmtpOptions;
use gatepost_mail::wire::MailRequest;
use gatepost_mail::worker::{FaultHook, FaultPoint};
use gatepost_mail::{
    DeliveryWithTimeline, ListFilter, MAIL_BULK_QUEUE, MAIL_QUEUE, Mailer, MailerSettings, Sealer, Templates,
    Transport, TransportSetup, Worker,
};
use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, Dispatcher, Topology};
use gatepost_storage::testing::{Database, ManualClock};
use gatepost_storage::{Clock, Set, Store, outbox};
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) clock: ManualClock,
    pub(crate) store: Store,
    pub(crate) mailer: Mailer,
    pub(crate) sink: SmtpSink,
    pub(crate) broker: Broker,
    channel: Channel,
    _connection: Connection,
    _db: Database,
}

pub(crate) fn message(to: &str, words: &str) -> MailRequest {
    let body =
        json!({"to_email": format!("{to}@example.com"), "template_data": {"title": "T", "message": words}});
    MailRequest::from_value(&body).unwrap()
}

impl World {
    pub(crate) async fn new(node: &RabbitNode, vhost: &str, db: Database) -> Self {
        node.ctl(&["add_vhost", vhost]).unwrap();
        node.ctl(&["set_permissions", "-p", vhost, "guest", ".*", ".*", ".*"])
            .unwrap();
        let base = node.url();
        let url = format!(
            "{}/{vhost}",
            base.trim_end_matches("/%2f")
                .trim_end_matches("/%2F")
                .trim_end_matches('/')
        );
        let clock = ManualClock::at(Clock::system().now());
        let store = db.open(&[Set::Messaging, Set::Mail], clock.clock()).await;
        let sink = SmtpSink::start().unwrap();
        let connection = Connection::connect(&url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mailer = mailer(&store, false);
        let broker = connect(&url, &store).await;
        Self {
            url,
            clock,
            store,
            mailer,
            sink,
            broker,
            channel,
            _connection: connection,
            _db: db,
        }
    }

    pub(crate) fn dispatcher(&self) -> Dispatcher {
        self.broker
            .dispatch(&self.store)
            .hold(MAIL_QUEUE)
            .hold(MAIL_BULK_QUEUE)
    }

    pub(crate) fn transport(&self) -> Transport {
        let setup = TransportSetup {
            store: &self.store,
            sealer: self.mailer.sealer(),
            smtp: &SmtpOptions::default(),
        };
        Transport::parse(&self.sink.url(), &setup).unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_on(self.broker.clone())
    }

    pub(crate) fn worker_on(&self, broker: Broker) -> Worker {
        self.mailer
            .worker(broker, self.transport())
            .wire_queue("email_queue")
    }

    /// Dispatches and sends what can be now.
    pub(crate) async fn work(&self) {
        self.dispatcher().run_pending().await.unwrap();
        self.worker().run_pending().await.unwrap();
    }

    /// Works until a letter reaches `point`, and dies there, connections and all.
    pub(crate) async fn crash_at(&self, point: FaultPoint) {
        let (reached, mut there) = tokio::sync::mpsc::unbounded_channel();
        let hook: FaultHook = std::sync::Arc::new(move |at, _| {
            let reached = reached.clone();
            Box::pin(async move {
                if at == point {
                    reached.send(()).unwrap();
                    std::future::pending::<()>().await;
                }
            })
        });
        let broker = connect(&self.url, &self.store).await;
        let work = tokio::spawn(self.worker_on(broker).fault_hook(hook).run_pending());
        there.recv().await.unwrap();
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn enqueue(&self, request: MailRequest) -> Uuid {
        let mailer = self.mailer.clone();
        let taken = self.store.run_tx("test", move |tx| {
            let (mailer, request) = (mailer.clone(), request.clone());
            Box::pin(async move { mailer.enqueue_request(tx, &request, None).await })
        });
        taken.await.unwrap().id
    }

    pub(crate) async fn show(&self, id: Uuid) -> DeliveryWithTimeline {
        self.mailer.show(id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: Uuid) -> String {
        self.show(id).await.delivery.state
    }

    /// How many letters the ledger knows in a state.
    pub(crate) async fn count(&self, state: &str) -> usize {
        let filter = ListFilter {
            state: Some(state.to_owned()),
            limit: 500,
            ..ListFilter::default()
        };
        self.mailer.list(&filter).await.unwrap().len()
    }

    pub(crate) async fn row(&self, id: Uuid) -> Option<outbox::OutboxRow> {
        self.store
            .read("row", move |tx| Box::pin(outbox::get(tx, id)))
            .await
            .unwrap()
    }

    pub(crate) async fn publish(&self, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        self.channel
            .basic_publish("".into(), "email_queue".into(), options, body, properties)
            .await
            .unwrap()
            .await
            .unwrap();
    }

    pub(crate) async fn get(&self, queue: &str) -> Option<lapin::message::BasicGetMessage> {
        let options = BasicGetOptions { no_ack: true };
        self.channel.basic_get(queue.into(), options).await.unwrap()
    }

    pub(crate) async fn depth(&self, queue: &str) -> u32 {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let queue = self
            .channel
            .queue_declare(queue.into(), passive, FieldTable::default());
        queue.await.unwrap().message_count()
    }

    pub(crate) async fn delete(&self, queue: &str) {
        self.channel
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    }

    /// How often the mail server has a letter with these words.
    pub(crate) fn received(&self, words: &str) -> usize {
        self.sink
            .received()
            .iter()
            .filter(|mail| mail.text().contains(words))
            .count()
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
    }
}

pub(crate) fn mailer(store: &Store, python_wire: bool) -> Mailer {
    let settings = MailerSettings {
        python_wire,
        ..MailerSettings::new("Gatepost <noreply@gatepost.test>".parse().unwrap())
    };
    let sealer = Sealer::new(&SecretString::from("0123456789abcdef".repeat(4)), &[]).unwrap();
    Mailer::new(store, Templates::built_in().unwrap(), sealer, settings)
}

async fn connect(url: &str, store: &Store) -> Broker {
    let broker = Broker::connect(url).await.expect("RabbitMQ").with_store(store);
    let topology = Topology::new()
        .queue(MAIL_QUEUE, |q| q)
        .queue(MAIL_BULK_QUEUE, |q| q)
        .queue("email_queue", gatepost_messaging::QueueConfig::plain);
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    broker
}
