//! The section `tokens`.

use std::collections::BTreeMap;
use std::time::Duration;

use gatepost_tokens::{Algorithm, PurposeSpec};
use secrecy::SecretString;

use super::Source;
use super::durations;
use super::parsers::{items, one_of, optional, some};
use super::reader::{Reader, Seen};
use super::sections::{Dialect, PurposeConfig, Tokens};

pub(crate) fn tokens(r: &mut Reader, public_url: Option<&str>) -> Option<Tokens> {
    let secret = secret(r);
    let previous = r.list("tokens.previous_secrets", Seen::Length);
    if previous.iter().flatten().any(|s| s.len() < MIN_SECRET) {
        r.problem(
            "tokens.previous_secrets",
            format!("must be {MIN_SECRET} bytes or more each"),
        );
    }
    let dialects = [("gatepost", Dialect::Gatepost), ("simplejwt", Dialect::Simplejwt)];
    let dialect = r.parsed("tokens.dialect", Seen::Whole, |text| one_of(text, &dialects));
    let accept = items(r, "tokens.accept", |text| one_of(text, &dialects));
    let algorithm = r.parsed("tokens.algorithm", Seen::Whole, |text| {
        one_of(
            text,
            &Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm)),
        )
    });
    let rotate_every = optional(r, "tokens.rotate_every", Seen::Whole, |text| {
        let every = durations::parse(text)?;
        if every < LEAST_ROTATION {
            return Err("must be an hour or more, or empty for never".to_owned());
        }
        Ok(every)
    });
    let named = public_url.unwrap_or("gatepost");
    let mut party = |key| {
        let text = r.text(key, Seen::Whole);
        r.derived(key, named);
        text.map(|t| some(t).unwrap_or_else(|| named.to_owned()))
    };
    let (issuer, audience) = (party("tokens.issuer"), party("tokens.audience"));
    let purposes = purposes(r);
    Some(Tokens {
        secret: secret?,
        previous_secrets: previous?.into_iter().map(SecretString::from).collect(),
        dialect: dialect?,
        accept: accept?,
        algorithm: algorithm?,
        rotate_every: rotate_every?,
        issuer: issuer?,
        audience: audience?,
        purposes: purposes?,
    })
}

/// A key is announced for a quarter of an hour before it signs; shorter than this, keys would stand in a queue.
const LEAST_ROTATION: Duration = Duration::from_hours(1);

/// RFC 7518 3.2: a key for HS256 has 256 bits or more.
pub(crate) const MIN_SECRET: usize = 32;

#[expect(
    clippy::option_option,
    reason = "wrong, not set and set are three things here, gone one function further up"
)]
fn secret(r: &mut Reader) -> Option<Option<SecretString>> {
    let text = r.text("tokens.secret", Seen::Length)?;
    if text.is_empty() {
        if r.source("tokens.secret")
            .is_some_and(|source| *source != Source::Default)
        {
            r.problem(
                "tokens.secret",
                "is empty; give it 32 bytes or more, or leave it out to have one made",
            );
            return None;
        }
        r.derived("tokens.secret", "(secret, made at first start in data_dir)");
        return Some(None);
    }
    if text.len() < MIN_SECRET {
        let length = text.len();
        r.problem(
            "tokens.secret",
            format!("has {length} bytes and must have {MIN_SECRET} or more; `openssl rand -base64 48` makes a good one"),
        );
        return None;
    }
    Some(Some(text.into()))
}

fn purposes(r: &mut Reader) -> Option<BTreeMap<String, PurposeConfig>> {
    let fixed = PurposeSpec::built_in();
    let mut purposes = BTreeMap::new();
    let mut whole = true;
    for name in r.names_under("tokens.purposes.") {
        let (lifetime_key, one_time_key) = (
            format!("tokens.purposes.{name}.lifetime"),
            format!("tokens.purposes.{name}.one_time"),
        );
        let good = name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        for key in [&lifetime_key, &one_time_key] {
            if !r.has(key) {
                r.problem(
                    key,
                    "is missing; a purpose of your own has both lifetime and one_time",
                );
                whole = false;
            }
        }
        let lifetime = if r.has(&lifetime_key) {
            r.duration(&lifetime_key)
        } else {
            None
        };
        let one_time = if r.has(&one_time_key) {
            r.switch(&one_time_key)
        } else {
            None
        };
        let (Some(lifetime), Some(one_time)) = (lifetime, one_time) else {
            whole = false;
            continue;
        };
        if !good {
            r.problem(
                &lifetime_key,
                "the purpose's name may have small letters, digits and _ (at most 64), a letter first",
            );
        }
        if lifetime.as_secs() == 0 {
            r.problem(&lifetime_key, "must be a second or more");
        }
        if fixed
            .iter()
            .any(|built_in| built_in.name == name && built_in.one_time != one_time)
        {
            r.problem(
                &one_time_key,
                "can't be changed for a built-in purpose; add a purpose of your own",
            );
        }
        purposes.insert(name, PurposeConfig { lifetime, one_time });
    }
    whole.then_some(purposes)
}
