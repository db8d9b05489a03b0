//! Which language a reader gets: `?lang=`, else the cookie that remembers an earlier `?lang=`, else what the
//! browser asks for, else English.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;

/// Remembers the choice for a year; it says nothing about who the reader is.
const COOKIE: &str = "gatepost_lang";

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Russian.
    Ru,
    /// Ukrainian.
    Uk,
}

impl Lang {
    /// All of them, in the order of the switch below each page.
    pub const ALL: [Self; 3] = [Self::En, Self::Ru, Self::Uk];

    /// The language's tag: `en`, `ru`, `uk`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ru => "ru",
            Self::Uk => "uk",
        }
    }

    /// What its speakers call it.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ru => "Русский",
            Self::Uk => "Українська",
        }
    }

    /// The language of a tag such as `ru-RU`, if the pages have it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|lang| language.eq_ignore_ascii_case(lang.as_str()))
    }

    /// The language for a request.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        asked_for(uri)
            .or_else(|| remembered(headers))
            .or_else(|| preferred(headers))
            .unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for Lang {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.uri, &parts.headers))
    }
}

/// Sets the cookie if the request chose a language by `?lang=`.
pub fn remember(mut response: Response, uri: &Uri) -> Response {
    if let Some(lang) = asked_for(uri) {
        let cookie = format!(
            "{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax",
            lang.as_str()
        );
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

fn asked_for(uri: &Uri) -> Option<Lang> {
    uri.query()?
        .split('&')
        .filter_map(|pair| pair.strip_prefix("lang="))
        .find_map(Lang::from_tag)
}

fn remembered(headers: &HeaderMap) -> Option<Lang> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .find_map(Lang::from_tag)
}

/// `Accept-Language`, RFC 9110 12.5.4: the highest weight wins, the earlier among equals; `q=0` is a no.
fn preferred(headers: &HeaderMap) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for value in headers.get_all(header::ACCEPT_LANGUAGE) {
        for choice in value.to_str().unwrap_or_default().split(',') {
            let (tag, parameters) = choice.split_once(';').unwrap_or((choice, ""));
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(q) => q.trim().parse().unwrap_or(0.0),
                None => 1.0,
            };
            if let Some(lang) = Lang::from_tag(tag)
                && weight > best.map_or(0.0, |(highest, _)| highest)
            {
                best = Some((weight, lang));
            }
        }
    }
    best.map(|(_, lang)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(uri: &str, cookie: &str, accept: &str) -> Lang {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
        Lang::of(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn the_address_beats_the_cookie_beats_the_browser() {
        assert_eq!(lang("/login?a=b&lang=uk", "gatepost_lang=ru", "en"), Lang::Uk);
        assert_eq!(lang("/login?lang=xx", "a=b; gatepost_lang=ru", "en"), Lang::Ru);
        assert_eq!(lang("/login", "gatepost_language=ru", "uk-UA"), Lang::Uk);
        assert_eq!(lang("/login", "", "de, fr;q=0.9"), Lang::En);
    }

    #[test]
    fn weights_decide() {
        assert_eq!(lang("/", "", "de, en;q=0.3, ru;q=0.8, uk;q=0.7"), Lang::Ru);
        assert_eq!(lang("/", "", "ru;q=0, uk;q=0.1"), Lang::Uk);
        assert_eq!(lang("/", "", "uk, ru"), Lang::Uk);
        assert_eq!(lang("/", "", "ru;q=x,,;;"), Lang::En);
    }

    #[test]
    fn a_choice_is_remembered_and_nothing_else() {
        let cookies = |uri: &str| {
            let response = remember(Response::default(), &uri.parse().unwrap());
            response.headers().contains_key(header::SET_COOKIE)
        };
        assert!(cookies("/login?lang=ru"));
        assert!(!cookies("/login?lang=%0d%0aSet-Cookie:x"));
        assert!(!cookies("/login"));
    }
}
