//! `gatepost backup FILE`: a consistent copy of the embedded database, taken while the program runs.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::context::{Context, open_store};
use super::failure::Failure;
use crate::config::StorageBackend;

/// Options of `backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatepost backup /var/backups/gatepost-$(date +%F).db\n\n\
    Keep the file `secret` of data_dir with it, but in another place: without it the copy's sealed letters \
    can't be opened, with it they can."
)]
pub(super) struct Args {
    /// Where to; must not exist
    file: PathBuf,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let config = context.config()?;
    let StorageBackend::Sqlite { path } = &config.storage.backend else {
        return Err(Failure::usage(
            "backup copies the embedded database; on PostgreSQL use pg_dump",
        ));
    };
    if !path.exists() {
        return Err(Failure::no(format!(
            "there is no database at {} yet",
            path.display()
        )));
    }
    let store = open_store(&config).await?;
    reserve(&args.file)?;
    if let Err(error) = store.copy_to(&args.file).await {
        // Half a copy is worse than none.
        let _ = std::fs::remove_file(&args.file);
        return Err(error.into());
    }
    let bytes = std::fs::metadata(&args.file).map_or(0, |m| m.len());
    let value = serde_json::json!({ "file": args.file.display().to_string(), "bytes": bytes });
    context.answer(&value, || format!("{}: {bytes} bytes", args.file.display()))
}

/// Makes the file, empty and for its owner only, before anything is in it; refuses one that exists. SQLite's
/// `VACUUM INTO` writes into an empty file.
fn reserve(file: &Path) -> Result<(), Failure> {
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::no(format!(
            "{} exists and is not overwritten; choose another name",
            file.display()
        ))),
        Err(error) => Err(Failure::no(format!("{} can't be made: {error}", file.display()))),
    }
}
