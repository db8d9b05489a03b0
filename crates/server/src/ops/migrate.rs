//! `gatepost migrate`: bring the database up to date.

use gatepost_storage::{Migration, MigrationState, Set};
use serde::Serialize;

use super::context::{Context, open_store};
use super::failure::Failure;
use super::words::table;

/// Options of `migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatepost migrate\n  gatepost migrate --status")]
pub(super) struct Args {
    /// Only say how the database stands; exit 1 if something is to be done
    #[arg(long)]
    status: bool,
}

#[derive(Serialize)]
struct Line {
    set: String,
    name: String,
    state: &'static str,
}

impl From<Migration> for Line {
    fn from(migration: Migration) -> Self {
        let state = match migration.state {
            MigrationState::Applied => "applied",
            MigrationState::Pending => "pending",
            MigrationState::Newer => "newer",
        };
        Self {
            set: migration.set,
            name: migration.name,
            state,
        }
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let config = context.config()?;
    let store = open_store(&config).await?;
    if args.status {
        let status: Vec<Line> = store
            .migration_status(&Set::ALL)
            .await?
            .into_iter()
            .map(Line::from)
            .collect();
        let pending = status.iter().filter(|line| line.state == "pending").count();
        let value = serde_json::json!({ "pending": pending, "migrations": status });
        context.answer(&value, || {
            let rows: Vec<_> = status
                .iter()
                .map(|line| vec![line.set.clone(), line.name.clone(), line.state.to_owned()])
                .collect();
            table(&["SET", "MIGRATION", "STATE"], &rows)
        })?;
        return if pending == 0 {
            Ok(())
        } else {
            Err(Failure::no(format!("{pending} pending; run `gatepost migrate`")))
        };
    }
    let applied: Vec<Line> = store
        .migrate(&Set::ALL)
        .await?
        .into_iter()
        .map(Line::from)
        .collect();
    context.answer(&serde_json::json!({ "applied": applied }), || {
        if applied.is_empty() {
            return "the database is up to date".to_owned();
        }
        let lines: Vec<String> = applied
            .iter()
            .map(|line| format!("applied {}/{}", line.set, line.name))
            .collect();
        lines.join("\n")
    })
}
