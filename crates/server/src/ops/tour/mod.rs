//! `gatepost tour`: the whole life of an account, walked over HTTP as a client walks it.
//!
//! It knows nothing of the inside: it registers, reads its letters out of the capture box with an API key,
//! opens their links as a browser does and presses their buttons. With no arguments it does so against a
//! throw-away instance that it starts, and ends, itself; with `--url` and `--key` against a running one that
//! captures its mail. What a running instance keeps of it afterwards is an audit trail and captured letters:
//! the account is deleted at the end.

mod client;
mod form;
mod inbox;
mod instance;
mod report;
mod steps;
mod traveller;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use instance::Instance;
use report::Report;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use traveller::Traveller;

/// Exit code: a step did not hold.
const BROKEN: u8 = 1;
/// Exit code: wrong usage.
const USAGE: u8 = 2;
/// Exit code: there was nothing to walk through.
const UNREACHABLE: u8 = 3;

/// What `gatepost tour` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gatepost tour\n  \
    gatepost tour --url http://127.0.0.1:8080 --key \"$(gatepost apikey create tour --scope mail:read --json | jq -r .key)\"")]
pub struct TourArgs {
    /// A running instance that captures its mail, instead of a throw-away one
    #[arg(long, requires = "key", value_name = "URL")]
    pub url: Option<String>,
    /// An API key of that instance with the scope `mail:read`
    #[arg(
        long,
        requires = "url",
        value_name = "KEY",
        env = "GATEPOST_TOUR_KEY",
        hide_env_values = true
    )]
    pub key: Option<String>,
}

/// Walks the journey and prints it: a line a step, or with `json` one object at the end.
///
/// Exits 0 only if every step held, 1 if one did not, 2 for a URL that is none, 3 if there was no instance
/// to walk through.
pub async fn run(args: TourArgs, json: bool) -> ExitCode {
    let stop = CancellationToken::new();
    if let Err(why) = stop_on_signals(&stop) {
        report::complain(&format!("signals cannot be heard: {why}"));
        return ExitCode::from(UNREACHABLE);
    }
    let place = match Place::find(args, &stop).await {
        Ok(place) => Arc::new(place),
        Err((code, why)) => {
            report::complain(&why);
            return ExitCode::from(code);
        }
    };
    let walked = {
        let place = Arc::clone(&place);
        let report = Report::new(json, std::io::stdout().is_terminal());
        tokio::task::spawn_blocking(move || walk(&place, report))
    };
    tokio::pin!(walked);
    let held = tokio::select! {
        held = &mut walked => held.unwrap_or(false),
        // The instance is ended first: the step under way fails at once and the walk ends with it.
        () = stop.cancelled() => {
            place.end();
            let _ = walked.await;
            false
        }
    };
    place.end();
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    }
}

/// A tour that is interrupted, at whatever moment, leaves no process and no folder behind.
fn stop_on_signals(stop: &CancellationToken) -> std::io::Result<()> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let (mut heard, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            heard.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

/// Where the journey goes.
struct Place {
    base: String,
    key: String,
    own: Option<Instance>,
}

impl Place {
    async fn find(args: TourArgs, stop: &CancellationToken) -> Result<Self, (u8, String)> {
        if let (Some(url), Some(key)) = (args.url, args.key) {
            let base = url.trim_end_matches('/').to_owned();
            if !(base.starts_with("http://") || base.starts_with("https://")) {
                return Err((
                    USAGE,
                    format!("{url} is no http or https URL: write it as http://host:port"),
                ));
            }
            client::Client::new(&base)
                .reachable()
                .map_err(|why| (UNREACHABLE, why))?;
            return Ok(Self { base, key, own: None });
        }
        let stop = stop.clone();
        let started = tokio::task::spawn_blocking(move || Instance::start(&stop)).await;
        let own = match started {
            Ok(own) => own.map_err(|why| (UNREACHABLE, why))?,
            Err(gone) => {
                return Err((
                    UNREACHABLE,
                    format!("the throw-away instance did not start: {gone}"),
                ));
            }
        };
        Ok(Self {
            base: own.base().to_owned(),
            key: own.key().to_owned(),
            own: Some(own),
        })
    }

    fn end(&self) {
        if let Some(own) = &self.own {
            own.end();
        }
    }
}

/// Every step in order, up to the first that does not hold.
fn walk(place: &Place, mut report: Report) -> bool {
    report.open(&place.base, place.own.is_some());
    match Traveller::new(&place.base, &place.key) {
        Ok(mut traveller) => {
            for (name, step) in steps::ALL {
                if !report.step(name, || step(&mut traveller)) {
                    break;
                }
            }
        }
        Err(unmet) => {
            report.step("get ready", || Err(unmet));
        }
    }
    report.close(steps::ALL.len())
}
