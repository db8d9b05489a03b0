//! `gatepost user import`.

use std::time::{Duration, Instant};

use gatepost_storage::{audit, settings};
use secrecy::ExposeSecret;

use super::django_source::{self, Columns};
use crate::accounts::import::{self, Counts, Import};
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

/// So many skipped rows are named on a terminal for each reason.
const NAMED: usize = 10;

/// Under this key and a digest of which table it was stands where an interrupted run stopped.
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
    let cursor = cursor(args.columns.table(&app.config), url.expose_secret());
    let source = django_source::open(&app.config, url.expose_secret(), args.columns).await?;
    let total = source
        .read("count_users", |tx| Box::pin(gatepost_storage::users::count(tx)))
        .await
        .map_err(django_source::explain)?;
    let key = cursor.clone();
    let after = app
        .store
        .read("where_to_go_on", |tx| {
            Box::pin(async move { settings::get(tx, &key).await })
        })
        .await?
        .filter(|at| !at.is_empty() && !args.from_the_start && !args.dry_run)
        .and_then(|at| at.parse().ok());
    if let Some(at) = after {
        context.aside(&format!("going on after {at}, where an earlier run stopped"));
    }
    let (store, hasher, tokens) = (app.store.clone(), app.hasher.clone(), app.tokens.clone());
    let mut import = Import::new(source, store, hasher, tokens, after, args.dry_run);
    let began = Instant::now();
    loop {
        let rows = import.read().await.map_err(django_source::explain)?;
        if rows.is_empty() {
            break;
        }
        import.take(rows, &cursor).await?;
        context.progress(&how_far(import.counts().read, total, began.elapsed()));
    }
    context.progress("");
    let counts = import.counts().clone();
    if !args.dry_run {
        let detail = serde_json::to_value(&counts).map_err(|error| Failure::unknown(error.to_string()))?;
        app.store
            .run_tx("end_import", move |tx| {
                let (detail, cursor) = (detail.clone(), cursor.clone());
                Box::pin(async move {
                    settings::put(tx, &cursor, "").await?;
                    audit::note(tx, "cli", "users.imported", None, detail).await
                })
            })
            .await?;
    }
    context.answer(&counts, || told(&counts, args.dry_run))
}

/// Where to go on is no matter of another table's import.
fn cursor(table: &str, url: &str) -> String {
    // The place without who asks there, and with which password.
    let place = url.rsplit_once('@').map_or(url, |(_, place)| place);
    format!("{CURSOR}.{}", &import::digest(&format!("{place} {table}"))[..16])
}

/// `12500 of 100000 users, 4200 a second, about 21 s left`.
fn how_far(read: u64, total: i64, took: Duration) -> String {
    let (total, millis) = (u64::try_from(total).unwrap_or(0), took.as_millis().max(1));
    let speed = u128::from(read) * 1_000 / millis;
    let left = u128::from(total.saturating_sub(read)) / speed.max(1);
    format!("{read} of {total} users, {speed} a second, about {left} s left")
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
            .map(|(why, n)| format!("  skipped {n}: {why} ({})", named(counts, why, *n))),
    );
    lines.extend(
        counts
            .passwords
            .iter()
            .map(|(kind, n)| format!("  passwords {n}: {kind}")),
    );
    if counts.inactive > 0 {
        lines.push(format!(
            "  {} inactive there and may not log in here either",
            are(counts.inactive)
        ));
    }
    if counts.without_password > 0 {
        lines.push(format!(
            "  {} can log in only after \"forgot password\" (no password, or accounts.legacy_hashes is off)",
            counts.without_password
        ));
    }
    lines.join("\n")
}

fn are(n: u64) -> String {
    format!(
        "{} {}",
        words::count(n, "user"),
        if n == 1 { "is" } else { "are" }
    )
}

/// The first of those that were skipped, by their keys there.
fn named(counts: &Counts, why: &str, all: u64) -> String {
    let ids = counts.skipped_ids.get(why).map(Vec::as_slice).unwrap_or_default();
    let first = ids.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if all > u64::try_from(NAMED).unwrap_or(u64::MAX) {
        format!("id {first}, ...; --json names more")
    } else {
        format!("id {first}")
    }
}
