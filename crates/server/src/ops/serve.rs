//! `gatepost serve`: run the program.

use std::io::Write;
use std::net::SocketAddr;

use gatepost_storage::admins;
use secrecy::ExposeSecret;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::context::{Context, print};
use super::failure::Failure;
use crate::app::App;
use crate::config::{self, Config, MailTransport, Module};
use crate::console::administrators;
use crate::logs;
use crate::roles::Roles;
use crate::serve::Listeners;

/// Options of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatepost serve\n  \
    GATEPOST__HTTP__BIND=0.0.0.0:80 gatepost --config /etc/gatepost.toml serve --role api\n\n\
    With no configuration at all: SQLite in ./gatepost-data, captured mail, 127.0.0.1:8080.")]
pub(super) struct Args {
    /// What this process does: all, or any of api, worker, dispatcher, with commas between
    #[arg(long, default_value = "all")]
    role: Roles,
}

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let mut config = context.config()?;
    config::make_data_dir(&config)?;
    let logs = logs::start(&config.log).map_err(|error| Failure::no(error.to_string()))?;
    let outcome = serve(context, args, &mut config).await;
    // What is still waiting is written before the last word on standard error.
    drop(logs);
    outcome
}

async fn serve(context: &Context, args: &Args, config: &mut Config) -> Result<(), Failure> {
    // Bound before anything is built, so that a port that is taken is told at once; nobody gets in before the end
    // of this function, since listening is what opens the door.
    let public = bind(config.http.bind, "http.bind")?;
    let admin = config
        .http
        .admin_bind
        .map(|address| bind(address, "http.admin_bind"))
        .transpose()?;
    config.bound_to(local(&public)?);
    let app = App::build(config.clone()).await?;
    let stop = stop_on_signals()?;
    let welcome = Welcome::of(&app, local(&public)?, admin.as_ref().map(local).transpose()?).await?;
    let listeners = Listeners {
        public: listen(public)?,
        admin: admin.map(listen).transpose()?,
    };
    tracing::info!(address = %welcome.address, roles = %args.role, version = env!("CARGO_PKG_VERSION"), "listening");
    if context.json {
        context.answer(&welcome.json(), String::new)?;
    } else {
        print(&welcome.text())?;
    }
    app.serve(listeners, args.role, stop)
        .await
        .map_err(|error| Failure::no(error.to_string()))?;
    tracing::info!("ended in order");
    Ok(())
}

fn bind(address: SocketAddr, key: &str) -> Result<TcpSocket, Failure> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let bound = socket.and_then(|socket| {
        // A restart must not wait for connections of the one before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    bound.map_err(|error| {
        Failure::no(format!(
            "{address} can't be listened on: {error}; end what uses it, or set {key} to another"
        ))
    })
}

fn listen(socket: TcpSocket) -> Result<TcpListener, Failure> {
    socket.listen(BACKLOG).map_err(|error| {
        Failure::no(format!(
            "the address can't be listened on: {error}; end what uses it, or set http.bind to another"
        ))
    })
}

fn local(socket: &TcpSocket) -> Result<SocketAddr, Failure> {
    socket
        .local_addr()
        .map_err(|error| Failure::unknown(format!("the address that was bound is not known: {error}")))
}

/// The first signal ends in order, a second one at once.
fn stop_on_signals() -> Result<CancellationToken, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |error| Failure::unknown(format!("signals can't be listened to: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("told to stop; finishing what is under way");
        told.cancel();
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        let _ = writeln!(std::io::stderr(), "gatepost: told to stop twice; ending at once");
        std::process::exit(130);
    });
    Ok(stop)
}

/// What a person who has just started it wants to know.
struct Welcome {
    address: SocketAddr,
    public: String,
    admin: String,
    console: bool,
    capture: bool,
    data_dir: String,
    set_up: Option<String>,
    needs_admin: bool,
}

impl Welcome {
    async fn of(app: &App, address: SocketAddr, admin: Option<SocketAddr>) -> Result<Self, Failure> {
        let config = &app.config;
        let console = config.modules.has(Module::Console);
        let public = config.http.public_url.as_str().to_owned();
        let admin = admin.map_or_else(|| public.clone(), |address| format!("http://{address}"));
        let needs_admin = console && app.lifecycle.is_migrated() && nobody_is_set_up(app).await?;
        // A link is a way in: for the eyes of whoever sits there, not for what collects the output of programs.
        let on_a_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let set_up = if needs_admin && on_a_terminal {
            Some(first_link(app, &admin).await?)
        } else {
            None
        };
        Ok(Self {
            address,
            public,
            admin,
            console,
            capture: matches!(config.mail.transport, MailTransport::Capture),
            data_dir: config.data_dir.display().to_string(),
            set_up,
            needs_admin,
        })
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "address": self.address.to_string(), "public_url": self.public, "docs": format!("{}/docs", self.admin),
            "console": self.console.then(|| format!("{}/console", self.admin)),
            "inbox": (self.console && self.capture).then(|| format!("{}/console/inbox", self.admin)),
            "needs_administrator": self.needs_admin, "data_dir": self.data_dir,
        })
    }

    fn text(&self) -> String {
        let (public, admin, program) = (&self.public, &self.admin, program());
        let mut lines = vec![
            format!("Gatepost {} is ready.", env!("CARGO_PKG_VERSION")),
            String::new(),
            format!("  accounts  {public}/register, {public}/login, {public}/account"),
            format!("  API docs  {admin}/docs"),
        ];
        if self.console {
            lines.push(format!("  console   {admin}/console"));
            if self.capture {
                lines.push(format!(
                    "  letters   {admin}/console/inbox (captured: none leaves this machine)"
                ));
            }
        }
        lines.push(format!("  data      {}", self.data_dir));
        lines.push(String::new());
        match &self.set_up {
            Some(link) => {
                lines.push(
                    "To get into the console, open this link within 15 minutes and choose a password:"
                        .to_owned(),
                );
                lines.push(format!("  {link}"));
                lines.push(String::new());
            }
            None if self.needs_admin => {
                lines.push(format!(
                    "To get into the console: `{program} admin link` prints a one-time link."
                ));
                lines.push(String::new());
            }
            None => {}
        }
        lines.push("What to try next:".to_owned());
        lines.push(format!(
            "  register at {public}/register, read the letter, press its button, log in"
        ));
        lines.push(format!(
            "  {program} tour      walks the whole life of an account and prints each step"
        ));
        lines.push(format!("  {program} --help    users, tokens, keys, mail, backup"));
        lines.push("Ctrl-C ends it in order.".to_owned());
        lines.join("\n")
    }
}

/// How this program was called, so that what is printed can be typed: as short as it goes from here.
fn program() -> String {
    let called = std::env::args_os()
        .next()
        .map(std::path::PathBuf::from)
        .unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let shown = called
        .strip_prefix(&here)
        .unwrap_or(&called)
        .display()
        .to_string();
    if shown.is_empty() {
        "gatepost".to_owned()
    } else {
        shown
    }
}

async fn nobody_is_set_up(app: &App) -> Result<bool, Failure> {
    let count = app
        .store
        .read("count_admins", |tx| {
            Box::pin(async move { admins::count_set_up(tx).await })
        })
        .await?;
    Ok(count == 0)
}

async fn first_link(app: &App, console: &str) -> Result<String, Failure> {
    let raw = app
        .store
        .run_tx("link_admin", |tx| {
            Box::pin(async move { administrators::make_link(tx, "service", None).await })
        })
        .await?;
    Ok(format!("{console}/console/set-up?token={}", raw.expose_secret()))
}
