//! The command line: one file a command.
//!
//! Commands work on the database directly, never over HTTP (except [`tour`], which is a client), so that they work
//! whether or not the program is running.

mod admin;
mod apikey;
mod ask;
mod backup;
mod blacklist;
mod config;
mod context;
mod failure;
mod key;
mod mail;
mod migrate;
mod queue;
mod serve;
mod token;
mod usage;
mod user;
mod words;

pub mod tour;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::Context;
use failure::Failure;

/// The gate and the post of a web backend: tokens, mail, accounts, in one program.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version, max_term_width = 100)]
#[command(
    after_help = "Examples:\n  gatepost serve\n  gatepost --config /etc/gatepost.toml config check\n\n\
    Exit: 0 done, 1 the answer is no or a problem was found, 2 wrong usage, 3 could not find out."
)]
struct Cli {
    /// Read this file instead of ./gatepost.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the program
    Serve(serve::Args),
    /// Walk the whole life of an account over HTTP, and print each step with its time
    Tour(tour::TourArgs),
    /// Bring the database up to date
    Migrate(migrate::Args),
    /// The configuration: what holds, and what is wrong with it
    #[command(subcommand)]
    Config(config::Command),
    /// Administrators of the console
    #[command(subcommand)]
    Admin(admin::Command),
    /// Accounts
    #[command(subcommand)]
    User(user::Command),
    /// Tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Tokens that were used up or revoked
    #[command(subcommand)]
    Blacklist(blacklist::Command),
    /// The keys that sign tokens
    #[command(subcommand)]
    Key(key::Command),
    /// Keys for other programs
    #[command(subcommand)]
    Apikey(apikey::Command),
    /// Letters and what became of them
    #[command(subcommand)]
    Mail(mail::Command),
    /// Queues and dead letters
    #[command(subcommand)]
    Queue(queue::Command),
    /// Copy the embedded database while the program runs
    Backup(backup::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error),
    };
    let context = Context {
        config_file: cli.config,
        json: cli.json,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::unknown(format!("no threads can be started: {error}")).report(),
    };
    let code = runtime.block_on(run(&context, cli.command));
    // What a command has left behind (a thread that waits for a terminal) must not hold up its end.
    runtime.shutdown_background();
    code
}

async fn run(context: &Context, command: Command) -> ExitCode {
    // `serve` and `tour` have logs of their own; of the others only warnings are of interest.
    let _logs = match command {
        Command::Serve(_) | Command::Tour(_) => None,
        _ => crate::logs::start_quiet().ok(),
    };
    let done = match command {
        Command::Serve(args) => serve::run(context, &args).await,
        Command::Tour(args) => return tour::run(args, context.json).await,
        Command::Migrate(args) => migrate::run(context, &args).await,
        Command::Config(command) => config::run(context, &command),
        Command::Admin(command) => admin::run(context, command).await,
        Command::User(command) => user::run(context, command).await,
        Command::Token(command) => token::run(context, command).await,
        Command::Blacklist(command) => blacklist::run(context, command).await,
        Command::Key(command) => key::run(context, command).await,
        Command::Apikey(command) => apikey::run(context, command).await,
        Command::Mail(command) => mail::run(context, command).await,
        Command::Queue(command) => queue::run(context, command).await,
        Command::Backup(args) => backup::run(context, &args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
