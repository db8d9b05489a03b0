//! Making one connection.

use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, RustlsConnector, RustlsConnectorConfig, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::refusal::{self, unreachable};
use super::settings::RabbitSettings;
use crate::Error;

/// Connects, or says why not; takes no longer than the settings allow.
pub(super) async fn connect(settings: &RabbitSettings, purpose: &str) -> Result<Connection, Error> {
    let mut uri = settings.uri.clone();
    uri.query.heartbeat = u16::try_from(settings.heartbeat.as_secs()).ok();
    let tls = tls(settings).await?;
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
        // TLS begins here and not there: lapin refuses where the system has no certificates, whatever file of
        // our own there is.
        let plain = AMQPUri {
            scheme: AMQPScheme::AMQP,
            ..uri.clone()
        };
        let connecting = async {
            let stream = plain
                .connect_with_config_async(TLSConfig::default(), &runtime)
                .await?;
            if let AsyncTcpStream::Plain(tcp) = &stream {
                kept.keep(tcp.get_ref().as_fd())?;
            }
            match &tls {
                Some(tls) => stream.into_rustls(tls, &uri.authority.host).await,
                None => Ok(stream),
            }
        };
        let stream = tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
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
    fn keep(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let socket = TcpStream::from(socket.try_clone_to_owned()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
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

/// Whom to trust, for `amqps`: the system's authorities and those of the file. Either may be missing.
async fn tls(settings: &RabbitSettings) -> Result<Option<RustlsConnector>, Error> {
    if settings.uri.scheme != AMQPScheme::AMQPS {
        return Ok(None);
    }
    let file = settings.ca_file.clone();
    let made = tokio::task::spawn_blocking(move || connector(file.as_deref()));
    let made = made.await.map_err(|_| Error::Closed)?;
    made.map(Some)
        .map_err(|error| unreachable(format!("TLS: {error}")))
}

fn connector(file: Option<&Path>) -> io::Result<RustlsConnector> {
    let mut own = Vec::new();
    if let Some(file) = file {
        let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", file.display()));
        let pem = fs::read(file).map_err(|error| named(&error))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            own.push(certificate.map_err(|error| named(&error))?);
        }
        if own.is_empty() {
            return Err(named(&"it holds no certificate"));
        }
    }
    let mut config = match RustlsConnectorConfig::new_with_native_certs() {
        Ok(config) => config,
        Err(_) if !own.is_empty() => RustlsConnectorConfig::default(),
        Err(error) => return Err(error),
    };
    config.add_parsable_certificates(own);
    config.connector_with_no_client_auth()
}
