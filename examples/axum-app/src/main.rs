//! Runs the app on 127.0.0.1:3000 with its letters as files in `app-data/mail`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use axum_app::{App, StartError};
use gatepost_tokens::Keys;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), StartError> {
    let data = Path::new("app-data");
    std::fs::create_dir_all(data)?;
    let app = App::open(
        &data.join("app.db"),
        &secret(&data.join("secret"))?,
        "http://127.0.0.1:3000",
    )
    .await?;

    let stop = CancellationToken::new();
    let letters = {
        let (app, stop) = (app.clone(), stop.clone());
        tokio::spawn(async move { app.send_letters("file:app-data/mail", stop).await })
    };
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app.router())
        .with_graceful_shutdown(async {
            // Without a signal handler there is only the hard way out.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    stop.cancel();
    letters.await?
}

/// Made at the first start, and kept: tokens and sealed letters are worth nothing without it.
fn secret(path: &Path) -> Result<SecretString, StartError> {
    if !path.exists() {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(Keys::generate_secret()?.expose_secret().as_bytes())?;
    }
    Ok(std::fs::read_to_string(path)?.into())
}
