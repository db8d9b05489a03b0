//! TLS to mail servers: rustls over ring, the system's certificates and one more file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::transport::TransportError;

/// Checks a server's certificate against its name.
#[derive(Clone)]
pub(super) struct Connector {
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, TransportError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            TransportError::Spec("the host is no name that a certificate could have".to_owned())
        })?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca_file {
            add_file(&mut roots, path)?;
        }
        if roots.is_empty() {
            return Err(TransportError::Certificates(
                "the system has none; set tls.ca_file".to_owned(),
            ));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TransportError::Certificates(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            name,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(super) async fn connect(&self, tcp: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.tls.connect(self.name.clone(), tcp).await
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TransportError> {
    let pem = std::fs::read(path).map_err(|source| TransportError::File {
        what: format!("tls.ca_file {}", path.display()),
        source,
    })?;
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate
            .map_err(|error| TransportError::Certificates(format!("{}: {error}", path.display())))?;
        roots
            .add(certificate)
            .map_err(|error| TransportError::Certificates(format!("{}: {error}", path.display())))?;
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err(TransportError::Certificates(format!(
            "{} holds none",
            path.display()
        )))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({:?})", self.name)
    }
}
