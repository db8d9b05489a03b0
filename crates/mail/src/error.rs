//! What can be wrong with a letter or its templates.

use std::path::PathBuf;

/// Why a letter could not be rendered.
///
/// None of them passes by itself: mend the template or the data. No variant holds a value from the
/// letter's data, so all of them may be logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody has a template of that name.
    #[error("there is no template `{template}`; there are: {known}")]
    UnknownTemplate {
        /// The name asked for.
        template: String,
        /// The names there are, joined by commas.
        known: String,
    },
    /// A folder for the template is there, but none for a language in it.
    #[error("template `{template}` has no language: add `{template}/en/` with its three parts")]
    NoLocale {
        /// The template.
        template: String,
    },
    /// A letter has three parts; one of them is missing.
    #[error("`{file}` is missing: a letter has a subject, a text and an HTML part")]
    MissingPart {
        /// The file that should be there, relative to the folder of templates.
        file: String,
    },
    /// The template uses what the letter does not have.
    #[error("`{file}` line {line} uses what the letter does not have: {variables}")]
    Undefined {
        /// The template file.
        file: String,
        /// The line in it.
        line: usize,
        /// The names that the template uses and the letter lacks, joined by commas.
        variables: String,
    },
    /// The template is not well formed, ran out of fuel, or refused a value (an address that is
    /// neither `http`, `https` nor `mailto`).
    #[error("`{file}` line {line}: {reason}")]
    Render {
        /// The template file.
        file: String,
        /// The line in it; 0 if it is not known.
        line: usize,
        /// What was wrong, in the template engine's words.
        reason: String,
        /// The engine's own error.
        source: minijinja::Error,
    },
    /// A letter must serialize to a map of its fields.
    #[error("the data for `{template}` is not a JSON object of fields")]
    NotAnObject {
        /// The template.
        template: String,
    },
    /// The letter's own `Serialize` failed.
    #[error("the letter for `{template}` does not serialize")]
    Serialize {
        /// The template.
        template: &'static str,
        /// What serde said.
        source: serde_json::Error,
    },
    /// The folder of templates could not be read.
    #[error("templates cannot be read from {}: {source}", path.display())]
    Folder {
        /// The file or folder in question.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file or folder lies where none is expected.
    #[error("{} is not a template: expected {expected}", path.display())]
    Misplaced {
        /// What lies there.
        path: PathBuf,
        /// What is expected instead.
        expected: &'static str,
    },
    /// A template of the user's own has no sample, so that nothing could check it.
    #[error(
        "template `{template}` has no sample: add `{template}/sample.json`, an object with every field it uses"
    )]
    NoSample {
        /// The template.
        template: String,
    },
    /// A `sample.json` is not JSON.
    #[error("`{template}/sample.json` is not a JSON object")]
    Sample {
        /// The template.
        template: String,
        /// What serde said, if it was not JSON at all.
        source: Option<serde_json::Error>,
    },
    /// The sample's subject came out empty.
    #[error("`{template}` in `{locale}` has an empty subject")]
    EmptySubject {
        /// The template.
        template: String,
        /// The language.
        locale: String,
    },
}

impl Error {
    /// Whether trying again may help: never, templates do not mend themselves.
    pub fn is_transient(&self) -> bool {
        false
    }
}
