//! The sink's certificate.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How the sink speaks TLS. A client that checks certificates finds out whether this one is good.
#[derive(Debug, Clone)]
pub struct SinkTls {
    /// The certificate, and those between it and its authority, PEM.
    pub chain: Vec<u8>,
    /// Its private key, PEM.
    pub key: Vec<u8>,
    /// From the first byte on, as port 465 does; else by `STARTTLS`.
    pub from_the_start: bool,
}

pub(super) struct Acceptor {
    pub(super) tls: TlsAcceptor,
    pub(super) from_the_start: bool,
}

impl Acceptor {
    pub(super) fn new(tls: &SinkTls) -> io::Result<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&tls.chain)
            .collect::<Result<_, _>>()
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(&tls.key).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        Ok(Self {
            tls: TlsAcceptor::from(Arc::new(config)),
            from_the_start: tls.from_the_start,
        })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("from_the_start", &self.from_the_start)
            .finish_non_exhaustive()
    }
}
