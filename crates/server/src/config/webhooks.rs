//! The section `webhooks`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::reader::{Reader, Seen};
use crate::events;

/// More of them would be a list of customers, which belongs into a table.
const MOST: usize = 32;
/// What every secret of Standard Webhooks begins with.
const PREFIX: &str = "whsec_";

/// Who is told of events by HTTP.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name, for logs.
    pub name: String,
    /// Where events are posted. Nobody else's business: many have a secret in their path.
    pub url: SecretString,
    /// What they are signed with.
    pub secret: SigningSecret,
    /// The types that it is told of.
    pub events: Vec<String>,
}

/// The secret of a webhook: 24 to 64 bytes, written `whsec_` and base64.
#[derive(Clone)]
pub struct SigningSecret(SecretSlice<u8>);

impl SigningSecret {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|text| STANDARD.decode(text).ok())
            .filter(|bytes| (24..=64).contains(&bytes.len()));
        match bytes {
            Some(bytes) => Ok(Self(bytes.into())),
            None => Err(
                "must be whsec_ and 24 to 64 bytes in base64; `echo whsec_$(openssl rand -base64 32)` makes one"
                    .to_owned(),
            ),
        }
    }

    /// The key.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

pub(crate) fn webhooks(r: &mut Reader) -> Option<Vec<Webhook>> {
    let names = r.names_under("webhooks.");
    if names.len() > MOST {
        r.problem("webhooks", format!("are more than {MOST}"));
    }
    let mut whole = true;
    let mut hooks = Vec::new();
    for name in names {
        let hook = webhook(r, &name);
        whole &= hook.is_some();
        hooks.extend(hook);
    }
    whole.then_some(hooks)
}

fn webhook(r: &mut Reader, name: &str) -> Option<Webhook> {
    let key = |field: &str| format!("webhooks.{name}.{field}");
    let good = name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if !good {
        r.problem(
            &key("url"),
            "the webhook's name may have small letters, digits, _ and - (at most 64)",
        );
    }
    let mut needed = |field: &str| {
        let there = r.has(&key(field));
        if !there {
            r.problem(&key(field), "is missing; a webhook has url and secret");
        }
        there
    };
    let (has_url, has_secret) = (needed("url"), needed("secret"));
    let url = if has_url {
        r.parsed(&key("url"), Seen::Origin, url)
    } else {
        None
    };
    let secret = if has_secret {
        r.parsed(&key("secret"), Seen::Length, SigningSecret::parse)
    } else {
        None
    };
    let events = if r.has(&key("events")) {
        types(r, &key("events"))
    } else {
        Some(events::TYPES.map(str::to_owned).to_vec())
    };
    let (url, secret, events) = (url?, secret?, events?);
    good.then(|| Webhook {
        name: name.to_owned(),
        url,
        secret,
        events,
    })
}

fn url(text: &str) -> Result<SecretString, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next());
    let plain = text
        .chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '`'));
    match host {
        Some(host) if plain && !host.is_empty() && !host.contains('@') && !text.contains('#') => {
            Ok(text.into())
        }
        // Never repeated: there may be a secret in it.
        _ => Err("must be https://HOST/PATH or http://HOST/PATH, without user and password".to_owned()),
    }
}

/// Types by name, `user.*` for all of a kind, `*` for all.
fn types(r: &mut Reader, key: &str) -> Option<Vec<String>> {
    let mut wanted = Vec::new();
    for pattern in r.list(key, Seen::Whole)? {
        let fits = |kind: &str| match pattern.strip_suffix('*') {
            Some(start) => (start.is_empty() || start.ends_with('.')) && kind.starts_with(start),
            None => kind == pattern,
        };
        let found: Vec<&str> = events::TYPES.into_iter().filter(|kind| fits(kind)).collect();
        if found.is_empty() {
            let all = events::TYPES.join(", ");
            r.problem(
                key,
                format!("{pattern:?} is no type of event; there are {all}, and user.*, *"),
            );
            return None;
        }
        wanted.extend(found.into_iter().map(str::to_owned));
    }
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        r.problem(key, "is empty; leave it out to be told of everything");
        return None;
    }
    Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Origin};

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn load(pairs: &[(&str, &str)]) -> Result<Vec<Webhook>, String> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| (format!("GATEPOST__WEBHOOKS__{key}"), (*value).to_owned()));
        Config::load(&Origin::of(pairs))
            .map(|config| config.webhooks)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_webhook_is_told_of_everything_or_of_what_it_names() {
        let all = load(&[
            ("CRM__URL", "https://crm.example/hook/s3cret"),
            ("CRM__SECRET", SECRET),
        ])
        .unwrap();
        assert_eq!(
            (all[0].name.as_str(), all[0].events.len()),
            ("crm", events::TYPES.len())
        );
        let some = load(&[
            ("CRM__URL", "https://crm.example/hook"),
            ("CRM__SECRET", SECRET),
            ("CRM__EVENTS", "user.*, mail.failed, user.deleted"),
        ]);
        let types = some.unwrap().remove(0).events;
        assert_eq!(types.len(), 7);
        assert!(types.contains(&"mail.failed".to_owned()) && !types.contains(&"mail.sent".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_repeated() {
        for (pairs, says) in [
            (vec![("CRM__URL", "https://crm.example")], "webhooks.crm.secret"),
            (vec![("CRM__SECRET", SECRET)], "webhooks.crm.url"),
            (
                vec![
                    ("CRM__URL", "https://crm.example"),
                    ("CRM__SECRET", "whsec_c2hvcnQ="),
                ],
                "24 to 64 bytes",
            ),
            (
                vec![
                    ("CRM__URL", "https://u:c2hvcnQ=@crm.example"),
                    ("CRM__SECRET", SECRET),
                ],
                "without user",
            ),
            (
                vec![
                    ("CRM__URL", "https://crm.example"),
                    ("CRM__SECRET", SECRET),
                    ("CRM__EVENTS", "user.born"),
                ],
                "user.registered",
            ),
            (vec![("CRM__COLOUR", "red")], "url, secret, events"),
        ] {
            let error = load(&pairs).unwrap_err();
            assert!(error.contains(says), "{error}");
            assert!(
                !error.contains("c2hvcnQ") && !error.contains("MDEyMzQ1"),
                "{error}"
            );
        }
    }

    #[test]
    fn neither_the_secret_nor_the_path_is_shown() {
        let config = Config::load(&Origin::of([
            (
                "GATEPOST__WEBHOOKS__CRM__URL",
                "https://crm.example/hook/s3cret?key=s3cret",
            ),
            ("GATEPOST__WEBHOOKS__CRM__SECRET", SECRET),
        ]))
        .unwrap();
        let shown = format!("{:?} {:?}", config.shown(), config.webhooks);
        assert!(
            !shown.contains("s3cret") && !shown.contains("MDEyMzQ1"),
            "{shown}"
        );
        assert!(shown.contains("https://crm.example/***"), "{shown}");
    }
}
