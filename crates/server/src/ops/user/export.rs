//! `gatepost user export`.

use secrecy::ExposeSecret;

use super::django_source::{self, Columns};
use crate::accounts::export::{Counts, Export};
use crate::config::UserSource;
use crate::ops::ask;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// Options of `user export`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The way back. Who was imported gets the password and the state of here; who registered here \
    gets a row. What was changed in Django since is left alone and counted. Django reads our passwords with \
    Argon2PasswordHasher in PASSWORD_HASHERS and the package argon2-cffi.\n\n\
    Examples:\n  gatepost user export --to-django postgres://shop@db/shop --dry-run\n  \
    gatepost user export --to-django - --table people_user --id-type uuid < url.txt"
)]
pub(in crate::ops) struct Args {
    /// The project's PostgreSQL, as a URL or as `host=... dbname=...`; `-` reads it from standard input; without a
    /// value the database of storage.url
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", required = true)]
    to_django: Option<String>,
    #[command(flatten)]
    columns: Columns,
    /// Read and count, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    if app.config.accounts.source == UserSource::Django {
        return Err(Failure::no(
            "accounts.source is \"django\": the accounts are in Django's table already",
        ));
    }
    let given = args.to_django.unwrap_or_default();
    let url = match given.as_str() {
        "" => app.config.storage.url(),
        "-" => ask::line("the URL of Django's database is needed").await?,
        _ => given.into(),
    };
    let there = django_source::open(&app.config, url.expose_secret(), args.columns).await?;
    let mut export = Export::new(app.store.clone(), there, args.dry_run);
    while export.step().await.map_err(django_source::explain)? {
        context.progress(&format!("{} accounts", export.counts().read));
    }
    context.progress("");
    let counts = export.counts().clone();
    if !args.dry_run {
        let detail = serde_json::to_value(&counts).map_err(|error| Failure::unknown(error.to_string()))?;
        app.store
            .run_tx("end_export", move |tx| {
                let detail = detail.clone();
                Box::pin(async move {
                    gatepost_storage::audit::note(tx, "cli", "users.exported", None, detail).await
                })
            })
            .await?;
    }
    context.answer(&counts, || told(&counts, args.dry_run))
}

fn told(counts: &Counts, dry: bool) -> String {
    let mut lines = vec![format!(
        "{}{} read: {} new there, {} changed, {} as before, {} left alone",
        if dry { "would do: " } else { "" },
        words::count(counts.read, "account"),
        counts.added,
        counts.updated,
        counts.unchanged,
        counts.all_skipped()
    )];
    lines.extend(counts.skipped.iter().map(|(why, n)| format!("  left {n}: {why}")));
    lines.join("\n")
}
