//! The files behind the letters: ours compiled in, the user's on top.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use include_dir::{Dir, include_dir};
use serde_json::Value;

use super::PARTS;
use crate::Error;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Where what several letters share lies.
const LAYOUTS: &str = "layouts";

#[derive(Clone, Default)]
pub(crate) struct Catalog {
    /// `activate_account/ru/body.html.j2` and its text.
    files: BTreeMap<String, String>,
    /// Languages by letter.
    letters: BTreeMap<String, BTreeSet<String>>,
    /// The `sample.json` of letters of the user's own.
    pub(crate) samples: BTreeMap<String, Value>,
}

impl Catalog {
    pub(crate) fn built_in() -> Self {
        let mut catalog = Self::default();
        catalog.add_compiled_in(&BUILT_IN);
        catalog
    }

    fn add_compiled_in(&mut self, dir: &Dir<'_>) {
        for file in dir.files() {
            if let (Some(path), Some(source)) = (file.path().to_str(), file.contents_utf8()) {
                self.add(path.replace('\\', "/"), source.to_owned());
            }
        }
        for inner in dir.dirs() {
            self.add_compiled_in(inner);
        }
    }

    fn add(&mut self, name: String, source: String) {
        if let Some((letter, rest)) = name.split_once('/')
            && let Some((locale, _)) = rest.split_once('/')
            && letter != LAYOUTS
        {
            self.letters
                .entry(letter.to_owned())
                .or_default()
                .insert(locale.to_owned());
        }
        self.files.insert(name, source);
    }

    /// Reads `<letter>/<locale>/<part>`, `<letter>/sample.json` and `layouts/*.j2`; refuses what
    /// lies elsewhere, since a misspelt file that is passed over would send the old letter.
    pub(crate) fn add_folder(&mut self, root: &Path) -> Result<(), Error> {
        for letter in entries(root)? {
            if letter.name == LAYOUTS {
                for file in entries(&letter.path)? {
                    if file.path.extension().is_none_or(|end| end != "j2") {
                        return Err(misplaced(&file.path, "layouts/<name>.j2"));
                    }
                    self.add(format!("{LAYOUTS}/{}", file.name), read(&file.path)?);
                }
                continue;
            }
            if !letter.path.is_dir() {
                return Err(misplaced(&letter.path, "a folder for each letter, or layouts"));
            }
            self.letters.entry(letter.name.clone()).or_default();
            for locale in entries(&letter.path)? {
                if locale.name == "sample.json" {
                    let sample = sample(&letter.name, &read(&locale.path)?)?;
                    self.samples.insert(letter.name.clone(), sample);
                    continue;
                }
                if !locale.path.is_dir() {
                    return Err(misplaced(
                        &locale.path,
                        "a folder for each language, or sample.json",
                    ));
                }
                for part in entries(&locale.path)? {
                    if !PARTS.contains(&part.name.as_str()) {
                        return Err(misplaced(
                            &part.path,
                            "subject.txt.j2, body.txt.j2 or body.html.j2",
                        ));
                    }
                    let name = format!("{}/{}/{}", letter.name, locale.name, part.name);
                    self.add(name, read(&part.path)?);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(name, source)| (name.as_str(), source.as_str()))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.letters.keys().map(String::as_str)
    }

    pub(crate) fn locales(&self, letter: &str) -> Result<impl Iterator<Item = &str>, Error> {
        match self.letters.get(letter) {
            None => Err(Error::UnknownTemplate {
                template: letter.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            }),
            Some(locales) if locales.is_empty() => Err(Error::NoLocale {
                template: letter.to_owned(),
            }),
            Some(locales) => Ok(locales.iter().map(String::as_str)),
        }
    }
}

fn sample(letter: &str, text: &str) -> Result<Value, Error> {
    match serde_json::from_str(text) {
        Ok(sample @ Value::Object(_)) => Ok(sample),
        Ok(_) => Err(Error::Sample {
            template: letter.to_owned(),
            source: None,
        }),
        Err(source) => Err(Error::Sample {
            template: letter.to_owned(),
            source: Some(source),
        }),
    }
}

struct Entry {
    name: String,
    path: std::path::PathBuf,
}

/// What lies in a folder, in order of names, without what editors and systems hide there.
fn entries(dir: &Path) -> Result<Vec<Entry>, Error> {
    let at = |source| Error::Folder {
        path: dir.to_owned(),
        source,
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(at)? {
        let path = entry.map_err(at)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(misplaced(&path, "a name in UTF-8"));
        };
        if !name.starts_with('.') && !name.ends_with('~') {
            all.push(Entry {
                name: name.to_owned(),
                path,
            });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Folder {
        path: path.to_owned(),
        source,
    })
}

fn misplaced(path: &Path, expected: &'static str) -> Error {
    Error::Misplaced {
        path: path.to_owned(),
        expected,
    }
}
