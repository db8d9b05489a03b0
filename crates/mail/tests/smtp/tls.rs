//! Against a server with a certificate: STARTTLS, TLS from the start, and what must not be believed.

use std::path::Path;
use std::sync::Arc;

use gatepost_mail::transport::smtp::Smtp;
use gatepost_mail::transport::{Phase, SendError};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What the server does about TLS.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    StartTls,
    // Says something in the clear right after agreeing to STARTTLS.
    Injects,
    FromTheStart,
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/tls"))
}

fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(folder().join("server.pem"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(folder().join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Serves one connection after another; answers 250 to everything but what it must not.
async fn server(kind: Kind) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that does not believe the certificate hangs up; the next one is served all the same.
            let _ = serve(tcp, kind).await;
        }
    });
    port
}

async fn serve(tcp: TcpStream, kind: Kind) -> std::io::Result<()> {
    if kind == Kind::FromTheStart {
        let tls = acceptor().accept(tcp).await?;
        return talk(BufReader::new(tls), true, false).await.map(drop);
    }
    let Some(plain) = talk(BufReader::new(tcp), true, true).await? else {
        return Ok(());
    };
    let mut plain = plain.into_inner();
    let injected: &[u8] = if kind == Kind::Injects {
        b"220 go\r\n250 injected\r\n"
    } else {
        b"220 go\r\n"
    };
    plain.write_all(injected).await?;
    let tls = acceptor().accept(plain).await?;
    talk(BufReader::new(tls), false, false).await.map(drop)
}

/// The dialogue; gives the stream back at STARTTLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    greet: bool,
    start_tls: bool,
) -> std::io::Result<Option<BufReader<S>>> {
    if greet {
        stream.write_all(b"220 tls\r\n").await?;
        stream.flush().await?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let reply = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" if start_tls => "250-tls\r\n250 STARTTLS\r\n",
            "EHLO" => "250-tls\r\n250 AUTH LOGIN\r\n",
            "STARTTLS" => return Ok(Some(stream)),
            "DATA" => "354 go\r\n",
            "AUTH" | "dXNlcg==" => "334 bW9yZQ==\r\n",
            "MAIL" | "RCPT" | "." | "cGFzcw==" => "250 ok\r\n",
            _ => continue,
        };
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
    }
}

async fn send(url: &str, trusted: bool) -> Result<(), SendError> {
    let smtp = if trusted {
        Smtp::connect_with_ca(url, &folder().join("ca.pem"))
    } else {
        Smtp::connect(url)
    };
    super::send(&smtp.unwrap(), "ok").await.map(drop)
}

#[tokio::test]
async fn sends_under_tls_with_a_login() {
    let port = server(Kind::StartTls).await;
    send(&format!("smtp://user:pass@localhost:{port}"), true)
        .await
        .unwrap();
    let port = server(Kind::FromTheStart).await;
    send(&format!("smtps://user:pass@localhost:{port}"), true)
        .await
        .unwrap();
}

#[tokio::test]
async fn believes_no_certificate_of_a_stranger_or_for_another_name() {
    for (kind, scheme) in [(Kind::StartTls, "smtp"), (Kind::FromTheStart, "smtps")] {
        let port = server(kind).await;
        for (host, trusted) in [("localhost", false), ("127.0.0.1", true)] {
            let error = send(&format!("{scheme}://{host}:{port}"), trusted)
                .await
                .unwrap_err();
            assert!(
                matches!(
                    error,
                    SendError::Server {
                        phase: Phase::Tls,
                        ..
                    }
                ),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn takes_nothing_said_in_the_clear_for_something_said_under_tls() {
    let port = server(Kind::Injects).await;
    let error = send(&format!("smtp://localhost:{port}"), true).await.unwrap_err();
    assert!(
        matches!(
            error,
            SendError::Server {
                phase: Phase::Tls,
                ..
            }
        ),
        "{error:?}"
    );
}
