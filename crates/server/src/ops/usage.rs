//! Wrong usage in one line.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// Help and version go to standard output; what is wrong goes to standard error, with how it is used.
pub(super) fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    let parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let line = parts
        .join(" ")
        .replace("Usage:", "- usage:")
        .replace(" For more information, try", " - try");
    let line = line.trim_start_matches("error: ");
    let _ = writeln!(std::io::stderr(), "gatepost: {line}");
    ExitCode::from(2)
}
