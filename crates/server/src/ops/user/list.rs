//! `gatepost user list`.

use gatepost_storage::{UserId, users};

use crate::accounts::User;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};

/// Options of `user list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatepost user list --limit 500")]
pub(in crate::ops) struct Args {
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Go on after this id
    #[arg(long, value_name = "ID")]
    after: Option<UserId>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (_, store) = context.store().await?;
    let after = args.after;
    let (rows, total) = store
        .read("list_users", move |tx| {
            Box::pin(async move {
                Ok::<_, gatepost_storage::Error>((
                    users::list(tx, after, args.limit).await?,
                    users::count(tx).await?,
                ))
            })
        })
        .await?;
    let now = store.now();
    let is_full = i64::try_from(rows.len()).is_ok_and(|len| len == args.limit);
    let next = rows.last().filter(|_| is_full).map(|row| row.id);
    let items: Vec<User> = rows.iter().map(User::from).collect();
    context.answer(
        &serde_json::json!({ "items": items, "next": next, "total": total }),
        || {
            if rows.is_empty() {
                return "There is none.".to_owned();
            }
            let lines: Vec<_> = rows
                .iter()
                .map(|row| {
                    let state = if row.active { "active" } else { "not active" };
                    let login = row
                        .last_login_at
                        .map_or_else(|| "never".to_owned(), |at| relative(at, now));
                    vec![
                        row.id.to_string(),
                        row.email.clone(),
                        state.to_owned(),
                        relative(row.created_at, now),
                        login,
                    ]
                })
                .collect();
            let more = next
                .map(|id| format!("\n{total} in all; go on with --after {id}"))
                .unwrap_or_default();
            table(&["ID", "EMAIL", "STATE", "MADE", "LAST LOGIN"], &lines) + &more
        },
    )
}
