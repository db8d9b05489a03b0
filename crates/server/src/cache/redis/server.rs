//! Where Redis is, and the way in.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long connecting may take, TLS and the password included.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Commands of several requests that may wait to be written together.
const WAITING: usize = 1024;

/// `cache.url` cannot be used. No text repeats the URL, which holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It is no URL of Redis.
    #[error("is not redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or the same with rediss://")]
    Url,
    /// No certificate could have this host's name.
    #[error("the host is no name that a certificate could have")]
    Name,
    /// `tls.ca_file` cannot be read.
    #[error("tls.ca_file {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are no certificates to check the server's with.
    #[error("{0}")]
    Certificates(String),
}

/// Redis could not be asked, or answered with an error.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("it can't be connected to: {0}")]
    Connect(#[source] io::Error),
    #[error("{0}")]
    Redis(#[from] RedisError),
}

/// Where Redis is.
pub(super) struct Server {
    host: String,
    port: u16,
    info: ConnectionInfo,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// An open connection; closed when it is dropped, whatever Redis is doing.
#[derive(Debug)]
pub(super) struct Connection {
    commands: MultiplexedConnection,
    driver: AbortHandle,
}

impl Server {
    pub(super) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, CacheError> {
        let (info, encrypted) = parse(url)?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Err(CacheError::Url);
        };
        let tls = if encrypted {
            let name = ServerName::try_from(host.clone()).map_err(|_| CacheError::Name)?;
            Some((connector(ca_file)?, name))
        } else {
            None
        };
        Ok(Self {
            host: host.clone(),
            port: *port,
            tls,
            info,
        })
    }

    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        tokio::time::timeout(CONNECT_WITHIN, self.open())
            .await
            .map_err(|_| Failure::Late(CONNECT_WITHIN))?
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(Failure::Connect)?;
        tcp.set_nodelay(true).map_err(Failure::Connect)?;
        match &self.tls {
            None => self.greet(tcp).await,
            Some((tls, name)) => {
                let stream = tls.connect(name.clone(), tcp).await.map_err(Failure::Connect)?;
                self.greet(stream).await
            }
        }
    }

    async fn greet<S>(&self, stream: S) -> Result<Connection, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WAITING);
        let settings = self.info.redis_settings();
        let (commands, driver) = MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Connection { commands, driver })
    }
}

impl Connection {
    /// What commands are sent on. A clone is the same connection.
    pub(super) fn commands(&self) -> MultiplexedConnection {
        self.commands.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // By itself it would wait for the answers that a frozen Redis still owes.
        self.driver.abort();
    }
}

/// Whether this can be a `cache.url`.
pub(crate) fn check_url(url: &str) -> Result<(), CacheError> {
    parse(url).map(|_| ())
}

fn parse(url: &str) -> Result<(ConnectionInfo, bool), CacheError> {
    let (scheme, rest) = url.split_once("://").ok_or(CacheError::Url)?;
    let encrypted = match scheme {
        "redis" => false,
        "rediss" => true,
        _ => return Err(CacheError::Url),
    };
    // Other programs understand `#insecure` here. We don't, and it must not be taken for granted.
    if rest.contains('#') {
        return Err(CacheError::Url);
    }
    // TLS is ours: the other half is told nothing of it.
    let info = format!("redis://{rest}")
        .into_connection_info()
        .map_err(|_| CacheError::Url)?;
    Ok((info, encrypted))
}

/// The system's certificates and those of the file, as for mail servers.
fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, CacheError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let pem = std::fs::read(file).map_err(|source| CacheError::File {
            file: file.to_owned(),
            source,
        })?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
            added
                .map_err(|why| CacheError::Certificates(format!("tls.ca_file {}: {why}", file.display())))?;
        }
    }
    if roots.is_empty() {
        return Err(CacheError::Certificates(
            "the system has no certificates to trust: set tls.ca_file".to_owned(),
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| CacheError::Certificates(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_others_refused_without_being_repeated() {
        for good in [
            "redis://cache",
            "rediss://gate:hunter2@cache:6380/3",
            "redis://:p%40ss@[::1]:7000",
        ] {
            check_url(good).unwrap();
        }
        let (info, encrypted) = parse("rediss://gate:p%40ss@cache/3").unwrap();
        assert!(encrypted);
        assert_eq!(info.redis_settings().password(), Some("p@ss"));
        assert_eq!(info.redis_settings().db(), 3);
        for bad in [
            "redis://",
            "redis:///run/redis.sock",
            "redis://:hunter2@cache/three",
            "rediss://:hunter2@cache#insecure",
            "redis://:hunter2@cache:port",
            "http://hunter2@cache",
        ] {
            let said = check_url(bad).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
        let server = Server::new("redis://:hunter2@cache", None).unwrap();
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
