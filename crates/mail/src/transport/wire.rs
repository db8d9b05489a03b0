//! Onto a queue for a Python consumer: rendered, in the JSON that it has always read.

use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::{Broker, Envelope, PublishError, QueueConfig, Route, Topology};
use gatepost_storage::fault;
use serde_json::{Value, json};

use super::{Accepted, Parcel, Phase, SendError};

/// How long letters wait before it is seen again whether the broker takes messages.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The queue and the broker that has it.
#[derive(Clone, Debug)]
pub(super) struct WireQueue {
    broker: Broker,
    queue: Arc<str>,
}

impl WireQueue {
    pub(super) fn new(broker: &Broker, queue: &str) -> Self {
        Self {
            broker: broker.clone(),
            queue: queue.into(),
        }
    }

    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    /// Leave to publish, or how long to wait for the broker.
    pub(super) fn enter(&self) -> Result<(), Duration> {
        let health = self.broker.health();
        if health.connected && health.blocked.is_none() {
            Ok(())
        } else {
            Err(LOOK_AGAIN)
        }
    }

    /// Publishes a letter. `before_dot` notes that it may be taken from here on.
    pub(super) async fn put<F>(&self, parcel: &Parcel<'_>, before_dot: F) -> Result<Accepted, SendError>
    where
        F: AsyncFnOnce() -> bool,
    {
        let server = |detail: String| SendError::Server {
            phase: Phase::Connect,
            detail,
        };
        let envelope = self.envelope(parcel)?;
        fault::hit("wire.rendered");
        if !before_dot().await {
            return Err(SendError::HeldBack);
        }
        let published = self
            .broker
            .publish_envelope(Route::queue(&*self.queue), &envelope)
            .await;
        fault::hit("wire.published");
        match published {
            Ok(_) => Ok(Accepted {
                code: 250,
                text: format!("on {} for its consumer", self.queue),
            }),
            Err(PublishError::Returned) => {
                tracing::error!(queue = %self.queue, "the queue is gone with all that was in it: it is declared again; what had been handed over is lost");
                let again = Topology::new().queue(&*self.queue, QueueConfig::plain);
                if let Err(error) = self.broker.declare(&again).await {
                    tracing::warn!(%error, "the queue could not be declared again yet");
                }
                Err(server("the queue was gone".to_owned()))
            }
            Err(error) if error.may_have_arrived() => Err(SendError::Unanswered {
                detail: error.to_string(),
            }),
            Err(error @ (PublishError::Invalid(_) | PublishError::TooLarge { .. })) => {
                Err(SendError::Refused {
                    phase: Phase::Data,
                    code: 0,
                    status: None,
                    reply: error.to_string(),
                })
            }
            Err(error) => Err(server(error.to_string())),
        }
    }

    fn envelope(&self, parcel: &Parcel<'_>) -> Result<Envelope, SendError> {
        let envelope = Envelope::json(&*self.queue, "mail", &body(parcel));
        let envelope = envelope.map_err(|error| SendError::Refused {
            phase: Phase::Data,
            code: 0,
            status: None,
            reply: error.to_string(),
        })?;
        let envelope = envelope
            .id(parcel.id)
            .header("x-locale", parcel.content.locale.as_str());
        Ok(match parcel.expires_at {
            Some(at) => envelope.expires_at(at),
            None => envelope,
        })
    }
}

/// The Python services' JSON.
fn body(parcel: &Parcel<'_>) -> Value {
    let content = &parcel.content;
    let mut data = json!({ "title": content.subject, "message": content.text });
    if let Some(html) = &content.html {
        data["html_content"] = json!(html);
        if html.contains("cid:logo") {
            // Their consumers then add the picture.
            data["logo_url"] = json!("cid:logo");
        }
    }
    json!({
        "to_email": parcel.to,
        "subject": content.subject,
        "from_email": content.from,
        "template_data": data,
    })
}
