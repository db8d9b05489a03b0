//! Who asks: an API key, as `Authorization: Bearer gp_...`, or as the password of HTTP Basic (RFC 6749 2.3.1) with the
//! key's name or id as user.

use std::borrow::Cow;
use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::{OAuthError, Scheme};
use crate::app::App;
use crate::service::api_key::{ApiKey, Needs};

/// A caller with a key of the scope.
#[derive(Debug, Clone)]
pub struct Client<N> {
    /// Whose key.
    pub key: ApiKey,
    needs: PhantomData<fn() -> N>,
}

impl<N: Needs> FromRequestParts<App> for Client<N> {
    type Rejection = OAuthError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, OAuthError> {
        let missing = || {
            OAuthError::client(
                Scheme::None,
                "This takes an API key, as bearer token or as the password of HTTP Basic.",
            )
        };
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
        let (scheme, credential) = header
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .ok_or_else(missing)?;
        let credential = credential.trim();
        let (scheme, key) = if scheme.eq_ignore_ascii_case("bearer") {
            (Scheme::Bearer, ApiKey::of(app, credential).await?)
        } else if scheme.eq_ignore_ascii_case("basic") {
            (Scheme::Basic, basic(app, credential).await?)
        } else {
            return Err(missing());
        };
        let key = key.ok_or_else(|| OAuthError::client(scheme, "The API key is not valid."))?;
        if !key.scopes.allow(&N::SCOPE) {
            return Err(OAuthError::scope(scheme, N::SCOPE.to_string()));
        }
        Ok(Self {
            key,
            needs: PhantomData,
        })
    }
}

async fn basic(app: &App, credential: &str) -> Result<Option<ApiKey>, OAuthError> {
    // Some clients leave the padding out.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let decoded = LENIENT
        .decode(credential)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
        return Ok(None);
    };
    let Some(key) = ApiKey::of(app, &plain(password)).await? else {
        return Ok(None);
    };
    // RFC 6749 wants both encoded as in a form; few clients do that, and a name may hold a `+` or a `%` itself.
    let named = |user: &str| *user == *key.name || user == key.id.to_string();
    let is_its = named(user) || named(&plain(user));
    Ok(is_its.then_some(key))
}

/// What a text stands for that is encoded as in a form.
fn plain(text: &str) -> Cow<'_, str> {
    // With no `=` and no `&` in it, a form's only name is the text itself.
    let encoded = text.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(encoded.as_bytes())
        .next()
        .map_or(Cow::Borrowed(text), |(name, _)| Cow::Owned(name.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_a_forms() {
        for (text, stands_for) in [
            ("a%20b+c", "a b c"),
            ("", ""),
            ("a=b&c", "a=b&c"),
            ("gp_x-Y_1", "gp_x-Y_1"),
        ] {
            assert_eq!(plain(text), stands_for);
        }
    }
}
