//! The variables of the Python services, which go on working unchanged.
//!
//! A `*_HOST` switches its backend; a port or a user alone does not, since they are set in many environments for
//! somebody else. In Kubernetes a service named `postgres` puts `POSTGRES_PORT=tcp://10.0.0.1:5432` into every
//! container (a "service link"): such values are skipped.

use std::collections::BTreeMap;

use super::error::Problem;
use super::layers::{Raw, Setting, Settings, Source};
use super::values::encode;

/// What the variables amount to, as our keys.
pub(crate) fn read(variables: &BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Settings {
    let get = |name: &str| {
        variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let mut settings = Settings::new();
    let mut set = |key: &str, name: &str, value: String| {
        let setting = Setting {
            raw: Raw::Text(value),
            source: Source::Python(name.to_owned()),
        };
        settings.insert(key.to_owned(), setting);
    };
    let mut port = |name: &str, default: u16| match get(name) {
        None => default,
        Some(link) if link.starts_with("tcp://") => default,
        Some(text) => text.parse().unwrap_or_else(|_| {
            problems.push(Problem {
                key: name.to_owned(),
                source: String::new(),
                text: format!("{text:?} is not a port; write a number up to 65535"),
            });
            default
        }),
    };

    if let Some(host) = get("POSTGRES_HOST") {
        let user = get("POSTGRES_USER").unwrap_or("postgres");
        let name = get("POSTGRES_NAME")
            .or_else(|| get("POSTGRES_DB"))
            .unwrap_or(user);
        let (login, port) = (login(user, get("POSTGRES_PASSWORD")), port("POSTGRES_PORT", 5432));
        set(
            "storage.url",
            "POSTGRES_HOST",
            format!("postgres://{login}@{}:{port}/{}", bracket(host), encode(name)),
        );
    }
    if let Some(host) = get("RABBITMQ_HOST") {
        let login = login(
            get("RABBITMQ_USER").unwrap_or("guest"),
            get("RABBITMQ_PASSWORD").or(Some("guest")),
        );
        let vhost = get("RABBITMQ_VHOST").unwrap_or("/");
        let port = port("RABBITMQ_PORT", 5672);
        set(
            "broker.url",
            "RABBITMQ_HOST",
            format!("amqp://{login}@{}:{port}/{}", bracket(host), encode(vhost)),
        );
    }
    if let Some(host) = get("REDIS_HOST") {
        let port = port("REDIS_PORT", 6379);
        let password = get("REDIS_PASSWORD").map(|password| format!(":{}@", encode(password)));
        let database = get("REDIS_DB").map(|number| format!("/{}", encode(number)));
        set(
            "cache.url",
            "REDIS_HOST",
            format!(
                "redis://{}{}:{port}{}",
                password.unwrap_or_default(),
                bracket(host),
                database.unwrap_or_default()
            ),
        );
    }
    if let Some(queue) = get("EMAIL_QUEUE_NAME") {
        set("mail.queue", "EMAIL_QUEUE_NAME", queue.to_owned());
    }
    if let Some(name) = ["JWT_SECRET_KEY", "SECRET_KEY"]
        .into_iter()
        .find(|name| get(name).is_some())
    {
        set("tokens.secret", name, get(name).unwrap_or_default().to_owned());
        // What their tokens are signed with as well (`SIMPLE_JWT["SIGNING_KEY"]`).
        let key = get(name).unwrap_or_default().to_owned();
        set("simplejwt.signing_key", name, key);
    }
    settings
}

fn login(user: &str, password: Option<&str>) -> String {
    password.map_or_else(
        || encode(user),
        |password| format!("{}:{}", encode(user), encode(password)),
    )
}

/// An IPv6 address stands in brackets in a URL; a socket's folder is escaped.
fn bracket(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else if host.starts_with('/') {
        encode(host)
    } else {
        host.to_owned()
    }
}
