//! Logging in: PLAIN (RFC 4616), LOGIN, and XOAUTH2 as Google and Microsoft have it.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};

use super::line::{Line, Offers, server};
use super::spec::{AuthMethod, SmtpSpec, TlsMode};
use crate::transport::{Phase, SendError};

/// Logs in, if anybody is to. The token of XOAUTH2 is read anew at every login: it lives for an hour, and
/// whoever renews it writes it into the same file.
pub(super) async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<S>,
    offers: &Offers,
    spec: &SmtpSpec,
    token_file: Option<&Path>,
    encrypted: bool,
) -> Result<(), SendError> {
    let Some((user, password)) = &spec.credentials else {
        return Ok(());
    };
    if !encrypted && spec.tls != TlsMode::None {
        return Err(fault("no password is sent without TLS; tls=none would allow it"));
    }
    let limit = spec.timeouts.hello;
    match spec.auth {
        AuthMethod::XOAuth2 => {
            let token = token(password, token_file).await?;
            oauth(line, user, token.expose_secret(), limit).await
        }
        AuthMethod::Plain => plain(line, user, password.expose_secret(), limit).await,
        AuthMethod::Login => login(line, user, password.expose_secret(), limit).await,
        AuthMethod::Any if offers.takes("PLAIN") => plain(line, user, password.expose_secret(), limit).await,
        AuthMethod::Any if offers.takes("LOGIN") => login(line, user, password.expose_secret(), limit).await,
        AuthMethod::Any => Err(fault("the server offers neither AUTH PLAIN nor AUTH LOGIN")),
    }
}

async fn plain<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<S>,
    user: &str,
    password: &str,
    limit: Duration,
) -> Result<(), SendError> {
    let token = STANDARD.encode(format!("\0{user}\0{password}"));
    line.expect_positive(&format!("AUTH PLAIN {token}\r\n"), Phase::Auth, limit)
        .await
        .map(drop)
}

async fn login<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<S>,
    user: &str,
    password: &str,
    limit: Duration,
) -> Result<(), SendError> {
    line.expect_positive("AUTH LOGIN\r\n", Phase::Auth, limit).await?;
    for answer in [user, password] {
        line.expect_positive(&format!("{}\r\n", STANDARD.encode(answer)), Phase::Auth, limit)
            .await?;
    }
    Ok(())
}

async fn oauth<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<S>,
    user: &str,
    token: &str,
    limit: Duration,
) -> Result<(), SendError> {
    let bearer = STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"));
    let command = format!("AUTH XOAUTH2 {bearer}\r\n");
    let reply = line.expect_positive(&command, Phase::Auth, limit).await?;
    if reply.code == 334 {
        // The reason, as JSON; only after an empty answer does the server refuse (535).
        line.expect_positive("\r\n", Phase::Auth, limit).await?;
        return Err(fault("the server asked for more than the token"));
    }
    Ok(())
}

/// The token: the file's content, or what stood in the URL as the password.
async fn token(password: &SecretString, file: Option<&Path>) -> Result<SecretString, SendError> {
    let token = match file {
        // The message has the path and the system's words, nothing of the content.
        Some(path) => SecretString::from(
            tokio::fs::read_to_string(path)
                .await
                .map_err(server(Phase::Auth))?
                .trim()
                .to_owned(),
        ),
        None => password.clone(),
    };
    let text = token.expose_secret();
    // A control character would end the field (or the line) early.
    if text.is_empty() || text.contains(char::is_control) {
        return Err(fault(
            "there is no OAuth token: set mail.smtp.token_file to a file that holds one",
        ));
    }
    Ok(token)
}

fn fault(detail: &str) -> SendError {
    SendError::Server {
        phase: Phase::Auth,
        detail: detail.to_owned(),
    }
}
