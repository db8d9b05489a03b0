//! `gatepost mail eject`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gatepost_mail::Templates;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::count;

/// Options of `mail eject`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail eject welcome\n  gatepost mail eject welcome --layouts --to ./templates"
)]
pub(in crate::ops) struct Args {
    /// Which one
    template: String,
    /// The folder; without it `mail.templates_dir`
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Also the layouts that all letters stand on
    #[arg(long)]
    layouts: bool,
    /// Write over what is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let config = context.config()?;
    let folder = args.to.as_ref().or(config.mail.templates_dir.as_ref());
    let Some(folder) = folder else {
        return Err(Failure::usage(
            "there is no folder to write to: set mail.templates_dir, or name one with --to",
        ));
    };
    // Always ours: what lies in the folder is there already.
    let ours = Templates::built_in().map_err(|error| Failure::unknown(error.to_string()))?;
    if !ours.has(&args.template) {
        return Err(super::templates::unknown(&ours, &args.template));
    }
    let mut files: Vec<(String, String)> = ours
        .eject(&args.template)
        .map_err(|error| Failure::no(error.to_string()))?
        .into_iter()
        .filter(|(name, _)| args.layouts || !name.starts_with("layouts/"))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    if let Some(sample) = ours.sample(&args.template) {
        let text = serde_json::to_string_pretty(sample)
            .map_err(|error| Failure::unknown(format!("no JSON of the sample: {error}")))?;
        files.push((format!("{}/sample.json", args.template), text + "\n"));
    }
    if let Some((there, _)) = files
        .iter()
        .find(|(name, _)| !args.force && folder.join(name).exists())
    {
        return Err(Failure::no(format!(
            "{} is there already; --force writes over it",
            folder.join(there).display()
        )));
    }
    for (name, text) in &files {
        write(&folder.join(name), text)?;
    }
    let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
    let value = serde_json::json!({ "folder": folder, "files": names });
    context.answer(&value, || {
        format!(
            "{} written to {}",
            count(files.len() as u64, "file"),
            folder.display()
        )
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::File::create(path))
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::unknown(format!("{} can't be written: {error}", path.display())))
}
