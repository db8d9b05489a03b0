//! `gatepost user import`.

use gatepost_storage::{audit, settings};
use secrecy::ExposeSecret;

use super::django_source::{self, Columns};
use crate::accounts::import::{Counts, Import};
use crate::config::UserSource;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// Options of `user import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is sent to anybody, and whoever logs in keeps his password. What was interrupted goes \
    on where it stopped; done again, it brings what is new and what was changed in Django.\n\n\
    Examples:\n  gatepost user import --from-django postgres://shop@db/shop --dry-run\n  \
    gatepost user import --from-django \"host=db dbname=shop user=shop\" --table people_user --id-type uuid\n  \
    gatepost user import --from-django - < url.txt\n  \
    gatepost user import --from-django"
)]
pub(in crate::ops) struct Args {
    /// The project's PostgreSQL, as a URL or as `host=... dbname=...`; `-` reads it from standard input, where nobody
    /// else on the machine sees its password; without a value the database of storage.url
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", required = true)]
    from_django: Option<String>,
    #[command(flatten)]
    columns: Columns,
    /// Read and count, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Begin at the first row, also where an earlier run stopped half-way
    #[arg(long)]
    from_the_start: bool,
}

/// Under this key stands where an interrupted run stopped.
const CURSOR: &str = "import.django.after";

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    if app.config.accounts.source == UserSource::Django {
        return Err(Failure::no(
            "accounts.source is \"django\", so there is no table of ours; set it to \"own\" to import",
        ));
    }
    let given = args.from_django.unwrap_or_default();
    let url = match given.as_str() {
        "" => app.config.storage.url(),
        "-" => ask::line("the URL of Django's database is needed").await?,
        _ => given.into(),
    };
    let source = django_source::open(&app.config, url.expose_secret(), args.columns).await?;
    let total = source
        .read("count_users", |tx| Box::pin(gatepost_storage::users::count(tx)))
        .await
        .map_err(django_source::explain)?;
    let after = app
        .store
        .read("where_to_go_on", |tx| Box::pin(settings::get(tx, CURSOR)))
        .await?
        .filter(|at| !at.is_empty() && !args.from_the_start && !args.dry_run)
        .and_then(|at| at.parse().ok());
    if let Some(at) = after {
        context.aside(&format!("going on after {at}, where an earlier run stopped"));
    }
    let mut import = Import::new(source, app.store.clone(), app.hasher.clone(), after, args.dry_run);
    while import.step(CURSOR).await.map_err(django_source::explain)? {
        let counts = import.counts();
        context.progress(&format!("{} of {total}", counts.read));
    }
    context.progress("");
    let counts = import.counts().clone();
    if !args.dry_run {
        let detail = serde_json::to_value(&counts).map_err(|error| Failure::unknown(error.to_string()))?;
        app.store
            .run_tx("end_import", move |tx| {
                let detail = detail.clone();
                Box::pin(async move {
                    settings::put(tx, CURSOR, "").await?;
                    audit::note(tx, "cli", "users.imported", None, detail).await
                })
            })
            .await?;
    }
    context.answer(&counts, || told(&counts, args.dry_run))
}

fn told(counts: &Counts, dry: bool) -> String {
    let users = |n| words::count(n, "user");
    let mut lines = vec![format!(
        "{}{} read: {} new, {} brought up to date, {} as before, {} skipped",
        if dry { "would do: " } else { "" },
        users(counts.read),
        counts.imported,
        counts.updated,
        counts.unchanged,
        counts.all_skipped()
    )];
    lines.extend(
        counts
            .skipped
            .iter()
            .map(|(why, n)| format!("  skipped {n}: {why}")),
    );
    lines.extend(
        counts
            .passwords
            .iter()
            .map(|(kind, n)| format!("  passwords {n}: {kind}")),
    );
    if counts.without_password > 0 {
        lines.push(format!(
            "  {} can log in only after \"forgot password\" (no password, or accounts.legacy_hashes is off)",
            counts.without_password
        ));
    }
    lines.join("\n")
}
