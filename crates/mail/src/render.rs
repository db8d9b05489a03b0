//! From a letter to subject, text and HTML.

mod catalog;
mod filters;
mod locale;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use crate::letter::{
    ActivateAccount, AlreadyRegistered, ConfirmEmail, EmailChangeAsked, EmailChanged, Invitation, NewDevice,
    Notification, PasswordChanged, RefreshReuseDetected, ResetPassword, Welcome,
};
use crate::secret::reveal;
use crate::{Error, Letter, Site};
use catalog::Catalog;

/// Instructions one part of a letter may take. Ours take under 500, but for `notification`: some 20 for each line of
/// a message, of which 256 KiB hold up to 131,000. An endless loop in a template of the user's own stops here,
/// within a fraction of a second.
const FUEL: u64 = 4_000_000;

/// The three parts of a letter, as files in `<letter>/<locale>/`.
const PARTS: [&str; 3] = ["subject.txt.j2", "body.txt.j2", "body.html.j2"];

/// A letter, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, without control characters.
    pub subject: String,
    /// The plain text part, lines ended by `\n`.
    pub text: String,
    /// The HTML part, a whole document.
    pub html: String,
    /// The language it is in, which may not be the one asked for: `ru-RU` gives `ru`.
    pub locale: String,
}

/// All templates of letters, parsed once. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    env: Environment<'static>,
    catalog: Catalog,
    samples: BTreeMap<String, Value>,
    site: Site,
}

impl Templates {
    /// Our letters in English, Russian and Ukrainian.
    pub fn built_in() -> Result<Self, Error> {
        Self::from_catalog(Catalog::built_in())
    }

    /// Ours, with what lies in the folder on top: a file of the same name replaces ours (a single
    /// part of a letter, or `layouts/letter.html.j2`), other folders are letters of your own, each
    /// with a `sample.json` or a [`check`](Self::check) of its type.
    ///
    /// The folder is read once, here.
    pub fn folder(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut catalog = Catalog::built_in();
        catalog.add_folder(path.as_ref())?;
        Self::from_catalog(catalog)
    }

    fn from_catalog(mut catalog: Catalog) -> Result<Self, Error> {
        let mut env = environment();
        for (name, source) in catalog.files() {
            env.add_template_owned(name.to_owned(), source.to_owned())
                .map_err(|error| from_engine(error, name))?;
        }
        let samples = std::mem::take(&mut catalog.samples);
        Self {
            inner: Arc::new(Inner {
                env,
                catalog,
                samples,
                site: Site::default(),
            }),
        }
        .with_sample::<ActivateAccount>()?
        .with_sample::<ResetPassword>()?
        .with_sample::<PasswordChanged>()?
        .with_sample::<AlreadyRegistered>()?
        .with_sample::<Welcome>()?
        .with_sample::<RefreshReuseDetected>()?
        .with_sample::<ConfirmEmail>()?
        .with_sample::<EmailChangeAsked>()?
        .with_sample::<EmailChanged>()?
        .with_sample::<Invitation>()?
        .with_sample::<NewDevice>()?
        .with_sample::<Notification>()
    }

    /// Whom the letters are from.
    #[must_use]
    pub fn with_site(mut self, site: Site) -> Self {
        Arc::make_mut(&mut self.inner).site = site;
        self
    }

    fn with_sample<L: Letter>(mut self) -> Result<Self, Error> {
        let sample = to_json(&L::sample())?;
        Arc::make_mut(&mut self.inner)
            .samples
            .entry(L::TEMPLATE.to_owned())
            .or_insert(sample);
        Ok(self)
    }

    /// Renders the letter's sample in every language there is, so that a missing file or variable
    /// is found at start, not in an empty mail. Keeps the sample for [`sample`](Self::sample).
    pub fn check<L: Letter>(self) -> Result<Self, Error> {
        let this = self.with_sample::<L>()?;
        match this.problems_of(L::TEMPLATE).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(this),
        }
    }

    /// The same for every template there is; the first problem found.
    pub fn check_all(&self) -> Result<(), Error> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// All problems of all templates, in the order of their names.
    pub fn problems(&self) -> Vec<Error> {
        self.names().flat_map(|name| self.problems_of(name)).collect()
    }

    fn problems_of(&self, template: &str) -> Vec<Error> {
        let Some(sample) = self.inner.samples.get(template) else {
            return vec![Error::NoSample {
                template: template.to_owned(),
            }];
        };
        let locales = match self.inner.catalog.locales(template) {
            Ok(locales) => locales,
            Err(problem) => return vec![problem],
        };
        locales
            .filter_map(|locale| match self.render_in(template, locale, sample.clone()) {
                Err(problem) => Some(problem),
                Ok(mail) if mail.subject.is_empty() => Some(Error::EmptySubject {
                    template: template.to_owned(),
                    locale: locale.to_owned(),
                }),
                Ok(_) => None,
            })
            .collect()
    }

    /// A letter in the reader's language: `ru-RU`, else `ru`, else `en`, else the first language
    /// that the letter has.
    pub fn render<L: Letter>(&self, letter: &L, locale: &str) -> Result<Rendered, Error> {
        self.render_owned(L::TEMPLATE, locale, to_json(letter)?)
    }

    /// A letter by its template's name, from JSON. Secrets in it may still be marked, as
    /// [`Secret`](crate::Secret) serializes them.
    pub fn render_raw(&self, template: &str, locale: &str, data: &Value) -> Result<Rendered, Error> {
        self.render_owned(template, locale, data.clone())
    }

    fn render_owned(&self, template: &str, locale: &str, data: Value) -> Result<Rendered, Error> {
        let chosen =
            locale::choose(self.inner.catalog.locales(template)?, locale).ok_or_else(|| Error::NoLocale {
                template: template.to_owned(),
            })?;
        self.render_in(template, chosen, data)
    }

    fn render_in(&self, template: &str, locale: &str, data: Value) -> Result<Rendered, Error> {
        let Value::Object(mut data) = reveal(data) else {
            return Err(Error::NotAnObject {
                template: template.to_owned(),
            });
        };
        // Last, so that data from outside cannot pass itself off as the sender.
        data.insert("locale".into(), locale.into());
        data.insert(
            "site".into(),
            serde_json::to_value(&self.inner.site).unwrap_or_default(),
        );
        let context = minijinja::Value::from(minijinja::value::Serde(&data));
        let [subject, text, html] = PARTS.map(|part| self.part(template, locale, part, &data, &context));
        Ok(Rendered {
            subject: one_line(&subject?),
            text: text?.trim_end().to_owned() + "\n",
            html: html?,
            locale: locale.to_owned(),
        })
    }

    fn part(
        &self,
        template: &str,
        locale: &str,
        part: &str,
        data: &serde_json::Map<String, Value>,
        context: &minijinja::Value,
    ) -> Result<String, Error> {
        let file = format!("{template}/{locale}/{part}");
        let Ok(compiled) = self.inner.env.get_template(&file) else {
            return Err(Error::MissingPart { file });
        };
        compiled.render(context.clone()).map_err(|error| {
            let name = error.name().unwrap_or(&file).to_owned();
            if error.kind() != ErrorKind::UndefinedError {
                return from_engine(error, &name);
            }
            let mut lacking: Vec<String> = compiled
                .undeclared_variables(false)
                .into_iter()
                .filter(|variable| !data.contains_key(variable))
                .collect();
            lacking.sort_unstable();
            if lacking.is_empty() {
                return from_engine(error, &name);
            }
            Error::Undefined {
                line: error.line().unwrap_or_default(),
                file: name,
                variables: lacking.join(", "),
            }
        })
    }

    /// The names of all templates, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.catalog.names()
    }

    /// Whether there is a template of that name.
    pub fn has(&self, template: &str) -> bool {
        self.inner.catalog.locales(template).is_ok()
    }

    /// The languages a template has, in order.
    pub fn locales(&self, template: &str) -> Result<impl Iterator<Item = &str>, Error> {
        self.inner.catalog.locales(template)
    }

    /// Data that fills every field of the template, if there is some: secrets in it are marked.
    pub fn sample(&self, template: &str) -> Option<&Value> {
        self.inner.samples.get(template)
    }

    /// The files of a template with their text, and the layouts it stands on: what to copy into a
    /// folder of your own to change it. Paths are relative to that folder.
    pub fn eject(&self, template: &str) -> Result<Vec<(&str, &str)>, Error> {
        drop(self.inner.catalog.locales(template)?);
        let own = format!("{template}/");
        Ok(self
            .inner
            .catalog
            .files()
            .filter(|(name, _)| name.starts_with(&own) || name.starts_with("layouts/"))
            .collect())
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_auto_escape_callback(|name| {
        if name.ends_with(".html.j2") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        env.set_syntax(syntax);
    }
    filters::add(&mut env);
    env
}

fn to_json<L: Letter>(letter: &L) -> Result<Value, Error> {
    serde_json::to_value(letter).map_err(|source| Error::Serialize {
        template: L::TEMPLATE,
        source,
    })
}

fn from_engine(error: minijinja::Error, file: &str) -> Error {
    Error::Render {
        file: error.name().unwrap_or(file).to_owned(),
        line: error.line().unwrap_or_default(),
        reason: error
            .detail()
            .map_or_else(|| error.kind().to_string(), ToOwned::to_owned),
        source: error,
    }
}

/// A subject is a header: whatever a value brings along, it ends no line.
fn one_line(subject: &str) -> String {
    let plain: String = subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
