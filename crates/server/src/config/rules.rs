//! What is wrong only together.

use gatepost_mail::EmailAddress;
use gatepost_messaging::check_queue_name;

use super::error::Problem;
use super::sections::{Module, Registration, UserSource, Wire};
use super::{Broker, Config, MailTransport, StorageBackend};

/// Bad combinations, each by the names of its keys.
pub(crate) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let mut wrong = |key: &str, text: &str| {
        let source = config
            .shown
            .iter()
            .find(|s| s.key == key)
            .map(|s| s.source.to_string())
            .unwrap_or_default();
        problems.push(Problem {
            key: key.to_owned(),
            source,
            text: text.to_owned(),
        });
    };
    let has = |module| config.modules.has(module);
    if has(Module::Accounts) && !(has(Module::Tokens) && has(Module::Mail)) {
        wrong(
            "modules",
            "\"accounts\" needs \"tokens\" and \"mail\": links are tokens in letters; add them",
        );
    }
    if has(Module::Mail) && !has(Module::Messaging) {
        wrong(
            "modules",
            "\"mail\" needs \"messaging\": letters wait on a queue; add it",
        );
    }
    if matches!(config.mail.transport, MailTransport::Smtp { .. }) && !config.http.public_url_is_set {
        wrong(
            "http.public_url",
            "must be set when mail.transport is a server: links made from http.bind lead nowhere for others",
        );
    }
    if matches!(config.storage.backend, StorageBackend::Sqlite { .. }) && config.storage.listen_url.is_some()
    {
        wrong(
            "storage.listen_url",
            "is for PostgreSQL, and storage.url is SQLite; take one of them out",
        );
    }
    if config.accounts.source == UserSource::Django {
        if matches!(config.storage.backend, StorageBackend::Sqlite { .. }) {
            wrong(
                "accounts.source",
                "is \"django\", whose table is in PostgreSQL; set storage.url to that database",
            );
        }
        if config.accounts.registration != Registration::Closed {
            wrong(
                "accounts.registration",
                "must be \"closed\" where accounts.source is \"django\": only Django makes accounts in its table",
            );
        }
    }
    if config.mail.wire == Wire::Python && matches!(config.broker, Broker::Embedded) {
        wrong(
            "mail.wire",
            "is \"python\", whose consumers take letters from RabbitMQ; set broker.url to amqp://...",
        );
    }
    of_mail(config, &mut wrong);
    let refresh = config.tokens.purposes.get("refresh").map(|p| p.lifetime);
    if refresh.is_some_and(|lifetime| lifetime > config.auth.session_max_age) {
        wrong(
            "auth.session_max_age",
            "is shorter than tokens.purposes.refresh.lifetime; make it at least as long",
        );
    }
    of_simplejwt(config, &mut wrong);
    let http = &config.http;
    if config.auth.refresh_cookie && http.public_url_is_set && !http.public_url.is_https() {
        wrong(
            "auth.refresh_cookie",
            "needs an http.public_url with https://, or browsers keep no __Host- cookie; leave http.public_url out to \
             try it on this machine",
        );
    }
    if config.tokens.accept.contains(&config.tokens.dialect) {
        wrong(
            "tokens.accept",
            "names tokens.dialect itself; it lists the others",
        );
    }
}

/// What simplejwt's settings ask of the rest.
fn of_simplejwt(config: &Config, wrong: &mut impl FnMut(&str, &str)) {
    if !config.uses_simplejwt() {
        return;
    }
    let theirs = &config.simplejwt.settings;
    for (key, lifetime) in [
        ("refresh_token_lifetime", theirs.refresh_token_lifetime),
        (
            "sliding_token_refresh_lifetime",
            theirs.sliding_token_refresh_lifetime,
        ),
    ] {
        if lifetime > config.auth.session_max_age {
            wrong(
                "auth.session_max_age",
                &format!("is shorter than simplejwt.{key}; make it at least as long"),
            );
        }
    }
    if let Some(column) = theirs.user_id_column()
        && column != config.accounts.django.columns.id
    {
        wrong(
            "simplejwt.user_id_field",
            &format!(
                "is {column:?}, a column that users are called by here too then: set accounts.django.id to it, and \
                 accounts.django.id_type to what it is"
            ),
        );
    }
}

/// Names and senders that would take no effect, or a wrong one.
fn of_mail(config: &Config, wrong: &mut impl FnMut(&str, &str)) {
    if config.mail.queue.starts_with("gatepost.") || check_queue_name(&config.mail.queue).is_err() {
        wrong(
            "mail.queue",
            "a queue's name has 1 to 200 bytes, and none that is shared with others begins with gatepost.",
        );
    }
    for field in ["type", "dead_letters"] {
        let key = format!("queues.{}.{field}", config.mail.queue);
        let given = config.shown.iter().find(|shown| shown.key == key);
        if given.is_some_and(|given| !matches!(given.value.as_str(), "plain" | "false")) {
            wrong(
                &key,
                "is about mail.queue, which is declared without an argument, or Python's declaration of it would be \
                 refused; give it limits by a policy (docs/messaging.md)",
            );
        }
    }
    let known = |entry: &String| {
        let address = entry
            .strip_prefix('@')
            .map_or_else(|| entry.clone(), |domain| format!("a@{domain}"));
        address.parse::<EmailAddress>().is_ok()
    };
    if let Some(entry) = config.mail.allowed_from.iter().find(|entry| !known(entry)) {
        wrong(
            "mail.allowed_from",
            &format!("{entry:?} is neither an address nor @DOMAIN, and would allow nobody"),
        );
    }
}
