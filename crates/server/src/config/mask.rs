//! What may be shown of a secret.

use gatepost_mail::transport::smtp::split_urls;

/// Only that there is one, and how long it is.
pub(crate) fn secret(value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!("(secret, {} bytes)", value.len())
    }
}

/// Several mail servers' URLs, or one URL, without their passwords.
pub(crate) fn urls(value: &str) -> String {
    let parts: Vec<String> = split_urls(value).into_iter().map(url).collect();
    parts.join(", ")
}

/// A URL without its password: of what it stands for, everything but the way in.
///
/// Whatever stands before the last `@` counts as user and password, so that a password with unescaped signs is
/// hidden whole; at worst too much is hidden.
pub(crate) fn url(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    let Some((way_in, host)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{}", query(rest));
    };
    let name = way_in
        .split_once(':')
        .map_or_else(|| way_in.to_owned(), |(name, _)| format!("{name}:***"));
    format!("{scheme}://{name}@{}", query(host))
}

/// A URL's scheme and host.
pub(crate) fn origin(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else {
        return secret(value);
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}/***")
}

/// Parameters that carry passwords, too, such as PostgreSQL's `?password=`.
fn query(tail: &str) -> String {
    let Some((path, query)) = tail.split_once('?') else {
        return tail.to_owned();
    };
    let masked: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.contains("pass") || name.contains("secret") => format!("{name}=***"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", masked.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_comes_through() {
        for (value, shown) in [
            (
                "postgres://app:hunter2@db:5432/gate",
                "postgres://app:***@db:5432/gate",
            ),
            (
                "smtp://a@example.com:hunter2@mx:587?tls=required",
                "smtp://a@example.com:***@mx:587?tls=required",
            ),
            ("smtp://u:hun/ter2@mx:587", "smtp://u:***@mx:587"),
            (
                "smtp://u:hun,ter2@one:587?tls=none, smtps://v:hunter2@two",
                "smtp://u:***@one:587?tls=none, smtps://v:***@two",
            ),
            ("smtp://u:hun@ter2/?@mx:587", "smtp://u:***@mx:587"),
            (
                "postgres:///gate?host=/run&password=hunter2",
                "postgres:///gate?host=/run&password=***",
            ),
            ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
            ("sqlite://gate.db", "sqlite://gate.db"),
            ("embedded", "embedded"),
        ] {
            assert_eq!(urls(value), shown);
            assert!(
                !url(value).contains("hunter") && !url(value).contains("ter2"),
                "{value}"
            );
        }
        assert!(!secret("correct horse").contains("horse"));
    }
}
