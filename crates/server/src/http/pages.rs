//! The hosted pages: what a person sees in a browser, in three languages, without JavaScript.
//!
//! A new page is a struct in [`view`] (or [`console`]) with its template in `crates/server/pages/`. A new
//! sentence is a line in each of `pages/strings/{en,ru,uk}.json`; a test renders every page in every language
//! and fails over a missing one.

pub mod answer;
pub mod assets;
pub mod console;
pub mod docs;
mod fault;
mod filters;
pub mod lang;
mod strings;
#[cfg(test)]
mod tests;
pub mod view;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use gatepost_storage::Timestamp;
use include_dir::{Dir, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

pub use self::fault::Fault;
pub use self::lang::Lang;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/pages");

/// What a page may load and do: its stylesheet, its pictures, its own forms, and no script at all.
pub const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                       base-uri 'none'; frame-ancestors 'none'";

/// The data of a page, and which template shows it.
pub trait Page: Serialize {
    /// The template's path in `crates/server/pages/`, without `.html.j2`.
    const TEMPLATE: &'static str;
    /// Its `Content-Security-Policy`.
    const CSP: &'static str = CSP;
}

/// A template and its data do not fit, which the tests of this module rule out for ours.
#[derive(Debug, thiserror::Error)]
#[error("the page `{template}` cannot be rendered")]
pub struct PageError {
    /// The page's template.
    template: &'static str,
    /// Where in it, and why.
    source: minijinja::Error,
}

impl PageError {
    /// Trying again does not help.
    pub fn is_transient(&self) -> bool {
        false
    }
}

/// All pages, parsed once. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    env: Arc<Environment<'static>>,
    site: Arc<str>,
}

impl Pages {
    /// Parses the templates that are compiled in.
    pub fn new() -> Result<Self, PageError> {
        let mut env = environment();
        add_templates(&mut env, &TEMPLATES).map_err(|source| PageError {
            template: "pages",
            source,
        })?;
        Ok(Self {
            env: Arc::new(env),
            site: "Gatepost".into(),
        })
    }

    /// The name above every page; the display name of `mail.from`.
    #[must_use]
    pub fn with_site(mut self, name: &str) -> Self {
        self.site = name.into();
        self
    }

    /// The page as HTML, with times told from `now`.
    pub fn render<P: Page>(&self, page: &P, lang: Lang, now: Timestamp) -> Result<String, PageError> {
        let failed = |source| PageError {
            template: P::TEMPLATE,
            source,
        };
        let frame = context! {
            lang => lang.as_str(),
            now => now.to_string(),
            site => &*self.site,
            page => P::TEMPLATE,
        };
        let data = Value::from(minijinja::value::Serde(page));
        self.env
            .get_template(&format!("{}.html.j2", P::TEMPLATE))
            .and_then(|template| template.render(context! { ..frame, ..data }))
            .map_err(failed)
    }

    /// The page as a response, with every header a page needs.
    pub fn answer<P: Page>(&self, status: StatusCode, page: &P, lang: Lang, now: Timestamp) -> Response {
        answer::page(status, self.render(page, lang, now), P::CSP, lang)
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        env.set_syntax(syntax);
    }
    env.add_global(
        "stylesheet",
        Value::from_safe_string(assets::address("gatepost.css")),
    );
    env.add_global("icon", Value::from_safe_string(assets::address("mark.svg")));
    let languages: Vec<Value> = Lang::ALL
        .into_iter()
        .map(|lang| Value::from(vec![lang.as_str(), lang.own_name()]))
        .collect();
    env.add_global("languages", Value::from(languages));
    filters::add(&mut env);
    env
}

fn add_templates(env: &mut Environment<'static>, dir: &'static Dir<'static>) -> Result<(), minijinja::Error> {
    for file in dir.files() {
        if let (Some(path), Some(source)) = (file.path().to_str(), file.contents_utf8())
            && path.ends_with(".html.j2")
        {
            env.add_template_owned(path.replace('\\', "/"), source)?;
        }
    }
    dir.dirs().try_for_each(|inner| add_templates(env, inner))
}
