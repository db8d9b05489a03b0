//! Making one connection.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
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
    let (timeout, socket) = (settings.connect_timeout, Arc::<Socket>::default());
    let (kept, example) = (Arc::clone(&socket), runtime.clone());
    let transport = async move |uri: AMQPUri, runtime| {
        let runtime = same_type(&example, runtime);
        let connecting = uri.connect_with_config_async(tls.as_ref(), &runtime);
        let stream = tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        kept.keep(match &stream {
            AsyncTcpStream::Plain(tcp) => Some(tcp.get_ref().as_fd()),
            AsyncTcpStream::Rustls(tls) => Some(tls.get_ref().0.get_ref().as_fd()),
            _ => None,
        })?;
        Ok(stream)
    };
    let connecting = Connection::connector(uri, runtime, transport, properties);
    if let Ok(connected) = tokio::time::timeout(timeout, connecting).await {
        return connected.map_err(refusal::classify);
    }
    socket.shut();
    Err(unreachable("connecting took too long"))
}

/// Names a type that has no name here.
fn same_type<T>(_: &T, value: T) -> T {
    value
}

/// The socket under a connection that is being made. lapin's thread waits for a handshake for ever, whoever has
/// given up: a broker that is frozen for an hour would cost a thread for each attempt.
#[derive(Default)]
struct Socket(Mutex<Option<TcpStream>>);

impl Socket {
    fn keep(&self, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let socket = socket.map(|fd| fd.try_clone_to_owned()).transpose()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = socket.map(TcpStream::from);
        Ok(())
    }

    fn shut(&self) {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(socket) = socket {
            // It may have ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
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
