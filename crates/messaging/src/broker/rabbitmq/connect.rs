//! Making one connection.

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPScheme;
use lapin::{Connection, ConnectionProperties};

use super::refusal::{self, unreachable};
use super::settings::RabbitSettings;
use crate::Error;

/// Connects, or says why not; takes no longer than the settings allow.
pub(super) async fn connect(settings: &RabbitSettings, purpose: &str) -> Result<Connection, Error> {
    let mut uri = settings.uri.clone();
    uri.query.heartbeat = u16::try_from(settings.heartbeat.as_secs()).ok();
    let tls = OwnedTLSConfig {
        cert_chain: certificates(settings, &uri.scheme).await?,
        ..OwnedTLSConfig::default()
    };
    // Its own recovery stays off: with it a publish to a frozen broker hung for 40 s.
    let properties = ConnectionProperties::default()
        .with_connection_name(format!("{} {purpose}", settings.name).into())
        .with_client_property("product".into(), "gatepost".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
    let runtime = lapin::runtime::default_runtime().map_err(refusal::classify)?;
    let connecting = Connection::connect_uri_with_config(uri, properties, tls, runtime);
    match tokio::time::timeout(settings.connect_timeout, connecting).await {
        Ok(connected) => connected.map_err(refusal::classify),
        Err(_) => Err(unreachable("connecting took too long")),
    }
}

async fn certificates(settings: &RabbitSettings, scheme: &AMQPScheme) -> Result<Option<String>, Error> {
    let (AMQPScheme::AMQPS, Some(file)) = (scheme, settings.ca_file.clone()) else {
        return Ok(None);
    };
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file));
    match read.await {
        Ok(Ok(pem)) => Ok(Some(pem)),
        Ok(Err(error)) => Err(unreachable(format!("tls.ca_file can't be read: {error}"))),
        Err(_) => Err(Error::Closed),
    }
}
