//! What `openapi.json` says of the four routes. They are there only where a Django's dialect is spoken or taken, and under
/// the prefixes of the configuration; the document shows the default one and says so.
use utoipa::{OpenApi, ToSchema};

/// The four routes, to be merged into the document.
#[derive(Debug, OpenApi)]
#[openapi(
    paths(
        super::obtain::obtain,
        super::refresh::refresh,
        super::verify::verify,
        super::blacklist::blacklist
    ),
    tags((
        name = "simplejwt",
        description = "djangorestframework-simplejwt's own routes, for the clients of a Django project. They are there only \
                       while `tokens.dialect` or `tokens.accept` names `simplejwt` (404 otherwise), under each prefix of \
                       `simplejwt.prefixes`; what stands here is the default one, `/api/token`. djoser's names \
                       (`/jwt/create/`, `/jwt/refresh/`, `/jwt/verify/`) are answered below each prefix as well, and with \
                       `simplejwt.sliding_prefixes` the same routes for sliding tokens. Bodies may be JSON or forms, and \
                       all answers are Django's, errors too."
    ))
)]
pub(crate) struct Routes;

/// Who logs in.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field, as Django does; this describes it")]
pub(super) struct Credentials {
    /// The address of the account. With `accounts.source = "django"` the field is called as the project's
    /// `USERNAME_FIELD`, in any case as `simplejwt.username_field` if that is set.
    #[schema(max_length = 1024)]
    email: String,
    /// Its password.
    password: String,
}

/// A refresh token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field, as Django does; this describes it")]
pub(super) struct RefreshToken {
    /// The refresh token.
    refresh: String,
}

/// Any token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field, as Django does; this describes it")]
pub(super) struct AnyToken {
    /// The token.
    token: String,
}

/// An empty object.
#[derive(ToSchema)]
pub(super) struct Nothing {}

/// What a refusal says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "written word by word, as Django does; this describes it")]
pub(super) struct Refused {
    /// In words: `Token is blacklisted`, `Token has wrong type`, `Token is invalid`, `Token is expired`, `No active account
    /// found with the given credentials`, ...
    detail: String,
    /// `token_not_valid`, where it is about a token.
    code: Option<String>,
}
