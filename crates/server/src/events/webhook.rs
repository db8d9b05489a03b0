//! A webhook: events posted to a URL one by one, signed as [Standard Webhooks](https://www.standardwebhooks.com)
//! has it.

use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost_messaging::Event;
use gatepost_messaging::events::{Failure, Fault, Receiver, Told};
use gatepost_storage::{Store, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use ureq::http::{HeaderMap, Request};

use crate::config::{SigningSecret, Webhook};

/// A receiver has so long to answer, name lookup and TLS included. It should take the event down and answer, and do
/// its work afterwards.
const PATIENCE: Duration = Duration::from_secs(15);
/// A connection that was idle for longer is not used again: the other side may be closing it just then.
const IDLE: Duration = Duration::from_secs(4);
/// So much of an answer is read, and thrown away, to keep the connection.
const ANSWER: u64 = 16 * 1024;

/// Posts events to one receiver.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    agent: ureq::Agent,
    url: SecretString,
    secret: SigningSecret,
    store: Store,
}

impl Hook {
    /// To the receiver of this configuration, trusting these certificates.
    pub(super) fn new(webhook: &Webhook, store: &Store, tls: ureq::tls::TlsConfig) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Who is told is who was configured, and nobody whom they name.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections_per_host(1)
            .max_idle_age(IDLE)
            .tls_config(tls)
            .user_agent(concat!("gatepost/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self {
            agent,
            url: webhook.url.clone(),
            secret: webhook.secret.clone(),
            store: store.clone(),
        }
    }

    fn post(&self, event: &Event, now: Timestamp) -> Result<(), Failure> {
        let broken = |why: &str| Failure {
            why: why.to_owned(),
            fault: Fault::Event,
            retry_after: None,
        };
        let body = serde_json::to_vec(event).map_err(|_| broken("the event can't be written"))?;
        let (id, at) = (event.id.to_string(), now.as_secs().to_string());
        let request = Request::post(self.url.expose_secret())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &at)
            .header("webhook-signature", signature(&self.secret, &id, &at, &body))
            .body(body)
            .map_err(|_| broken("the request can't be made"))?;
        let mut answer = self.agent.run(request).map_err(|error| unreachable(&error))?;
        let (status, retry_after) = (answer.status().as_u16(), retry_after(answer.headers()));
        let mut rest = answer.body_mut().as_reader().take(ANSWER);
        // What it says besides its status is of no interest; read, it leaves the connection to the next event.
        let _ = std::io::copy(&mut rest, &mut std::io::sink());
        judge(status, retry_after)
    }
}

impl Receiver for Hook {
    async fn tell(&self, events: &[Event]) -> Told {
        for (told, event) in events.iter().enumerate() {
            let (hook, event, now) = (self.clone(), event.clone(), self.store.now());
            let posted = tokio::task::spawn_blocking(move || hook.post(&event, now)).await;
            let failure = match posted {
                Ok(Ok(())) => continue,
                Ok(Err(failure)) => failure,
                Err(_) => Failure {
                    why: "posting was cut off".to_owned(),
                    fault: Fault::Receiver,
                    retry_after: None,
                },
            };
            return Told {
                events: told,
                failure: Some(failure),
            };
        }
        Told::all(events)
    }
}

/// `v1,` and the base64 of HMAC-SHA256 over id, time and body with dots between.
fn signature(secret: &SigningSecret, id: &str, at: &str, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).expect("any length");
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What a status means. Only these few say that this very event is not wanted; whatever else is wrong would be wrong
/// with the next one, too.
fn judge(status: u16, retry_after: Option<Duration>) -> Result<(), Failure> {
    let fault = match status {
        200..=299 => return Ok(()),
        400 | 409 | 413 | 415 | 422 => Fault::Event,
        _ => Fault::Receiver,
    };
    let why = match status {
        300..=399 => format!("it answered {status}, and redirects are not followed"),
        _ => format!("it answered {status}"),
    };
    Err(Failure {
        why,
        fault,
        retry_after,
    })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// In words of our own: the library's may repeat the URL.
fn unreachable(error: &ureq::Error) -> Failure {
    let why = match error {
        ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        ureq::Error::HostNotFound => "its host is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(error) => format!("no connection: {}", error.kind()),
        ureq::Error::Tls(why) => format!("TLS: {why}"),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Protocol(_) => "its answer is no HTTP".to_owned(),
        _ => "it can't be asked".to_owned(),
    };
    Failure {
        why,
        fault: Fault::Receiver,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_what_is_about_the_event_is_the_events_fault() {
        let fault = |status| judge(status, None).map_err(|failure| failure.fault);
        assert_eq!((fault(200), fault(204)), (Ok(()), Ok(())));
        for status in [301, 401, 403, 404, 408, 410, 429, 500, 503] {
            assert_eq!(fault(status), Err(Fault::Receiver), "{status}");
        }
        assert_eq!((fault(400), fault(422)), (Err(Fault::Event), Err(Fault::Event)));
    }
}
