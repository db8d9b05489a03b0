//! What must not stand on the command line, where everybody on the machine sees it: passwords. And consent.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret, SecretString};

use super::failure::Failure;

/// A password: typed twice and unseen on a terminal, else the first line of standard input.
pub(super) async fn new_password(whose: &str) -> Result<SecretString, Failure> {
    if !io::stdin().is_terminal() {
        return line(NO_PASSWORD).await;
    }
    let first = hidden(&format!("Password of {whose}: ")).await?;
    let again = hidden("The same again: ").await?;
    if first.expose_secret() != again.expose_secret() {
        return Err(Failure::no("the two passwords differ; try again"));
    }
    Ok(first)
}

/// A token that was given, or with `-` the first line of standard input: there, nobody else on the machine sees it.
pub(super) async fn token(given: String) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.trim().to_owned());
    }
    let read = line("a token is needed").await?;
    Ok(read.expose_secret().trim().to_owned())
}

/// Refuses unless `--yes` was given, and says what would be gone.
pub(super) fn consent(yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        Ok(())
    } else {
        Err(Failure::usage(format!(
            "this would {what}; add --yes if that is meant"
        )))
    }
}

async fn hidden(prompt: &str) -> Result<SecretString, Failure> {
    let _ = write!(io::stderr(), "{prompt}");
    let _ = io::stderr().flush();
    let quiet = Quiet::start();
    let answer = tokio::select! {
        answer = line(NO_PASSWORD) => answer,
        _ = tokio::signal::ctrl_c() => Err(Failure::no("given up")),
    };
    drop(quiet);
    let _ = writeln!(io::stderr());
    answer
}

const NO_PASSWORD: &str = "a password is needed";

pub(super) async fn line(missing: &str) -> Result<SecretString, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        io::stdin().lock().read_line(&mut text).map(|_| text)
    });
    let text = match read.await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(Failure::unknown(format!("standard input can't be read: {error}"))),
        Err(error) => return Err(Failure::unknown(format!("standard input can't be read: {error}"))),
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(Failure::usage(format!(
            "{missing}, on the first line of standard input"
        )));
    }
    Ok(text.into())
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Quiet;

impl Quiet {
    fn start() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        stty("echo");
    }
}

/// `stty` is where there is a terminal (POSIX); to speak to it directly would take unsafe code.
fn stty(mode: &str) {
    let _ = Command::new("stty")
        .arg(mode)
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .status();
}
