//! The topic exchange that programs on RabbitMQ bind their queues to.

use gatepost_messaging::events::{Failure, Fault, Receiver, Told};
use gatepost_messaging::{Body, Broker, Envelope, Event, Outgoing, Route};

use super::EXCHANGE;

/// Publishes events by their type, to whoever has bound a queue. Nobody has is normal.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    broker: Broker,
}

impl Exchange {
    /// At this broker.
    pub(super) fn new(broker: &Broker) -> Self {
        Self {
            broker: broker.clone(),
        }
    }

    fn outgoing(event: &Event) -> Result<Outgoing, gatepost_messaging::Error> {
        let body = Body::json(event)?;
        let envelope = Envelope::bytes("", &event.kind, body.content_type, body.bytes).id(event.id);
        let route = Route::exchange(EXCHANGE, &event.kind).optional();
        Ok(Outgoing::new(route, envelope))
    }
}

impl Receiver for Exchange {
    async fn tell(&self, events: &[Event]) -> Told {
        let batch: Result<Vec<Outgoing>, _> = events.iter().map(Self::outgoing).collect();
        let outcomes = match batch {
            Ok(batch) => self.broker.publish_batch(batch).await,
            Err(error) => return failed(0, error.to_string(), Fault::Event),
        };
        for (told, outcome) in outcomes.iter().enumerate() {
            if let Err(error) = outcome {
                return failed(told, error.to_string(), Fault::Receiver);
            }
        }
        Told::all(events)
    }
}

fn failed(events: usize, why: String, fault: Fault) -> Told {
    Told {
        events,
        failure: Some(Failure {
            why,
            fault,
            retry_after: None,
        }),
    }
}
