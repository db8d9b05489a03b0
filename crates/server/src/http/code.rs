//! Every code that an error of ours can carry, with its status, its title and what to do about it.
//!
//! Programs match on the code, so a code never changes its meaning and never goes away within 1.x. The
//! page `docs/errors.md` is written from this table (a test keeps the two equal).

use std::fmt::Write as _;

use axum::http::StatusCode;

macro_rules! codes {
    ($($variant:ident = $name:literal, $status:ident, $title:literal, $help:literal;)*) => {
        /// A stable name for what went wrong: the member `code` of every problem document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Whether it means that a password, a token or a key was shown and refused.
            pub(crate) fn is_of_credentials(self) -> bool {
                matches!(
                    self,
                    Self::ApiKeyInvalid
                        | Self::InvalidCredentials
                        | Self::AccountNotActive
                        | Self::ScopeMissing
                        | Self::OriginRefused
                        | Self::TokenMalformed
                        | Self::TokenExpired
                        | Self::TokenUsed
                        | Self::TokenRevoked
                        | Self::TokenWrongPurpose
                )
            }

            /// All of them, in the order of the page in the documents.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// One short sentence, the same every time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Why it comes, and what the caller can do.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

codes! {
    BadRequest = "bad_request", BAD_REQUEST, "The request is not understood",
        "A part of the request other than its JSON body (a query, a header, a form) cannot be read. The detail names it.";
    JsonMalformed = "json_malformed", BAD_REQUEST, "The body is not JSON",
        "The body is cut short, is not JSON, or holds the character U+0000 or half of a surrogate pair, which no text here may hold.";
    JsonTooDeep = "json_too_deep", BAD_REQUEST, "The body is nested too deeply",
        "Objects and lists may stand 32 deep in one another.";
    NotUtf8 = "not_utf8", BAD_REQUEST, "The body is not UTF-8",
        "Bodies are UTF-8, whatever a `charset` says.";
    CredentialsMissing = "credentials_missing", UNAUTHORIZED, "This needs credentials",
        "Send `Authorization: Bearer ...`: an access token, or an API key (`gp_...`) where the description of the route asks for one.";
    ApiKeyInvalid = "api_key_invalid", UNAUTHORIZED, "The API key is not valid",
        "It is mistyped or was revoked. `gatepost apikey list` shows which ones there are.";
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "The address or the password is wrong",
        "No account has this address and password. An account that was registered and not yet activated gives the same answer.";
    AccountNotActive = "account_not_active", FORBIDDEN, "The account is not active",
        "The password was right; an administrator has deactivated the account.";
    AccountsElsewhere = "accounts_elsewhere", CONFLICT, "Only the program that owns the accounts can do this",
        "`accounts.source` is `django`: accounts are made, deleted and described in Django; Gatepost logs people in and changes passwords.";
    RegistrationClosed = "registration_closed", FORBIDDEN, "Nobody can register here",
        "`accounts.registration` is `closed`, for invitations too: accounts are made with `gatepost user create` or `POST /api/service/users`.";
    InvitationNeeded = "invitation_needed", FORBIDDEN, "Only who is invited can register here",
        "`accounts.registration` is `invite`: an operator invites with `gatepost user invite`, a program with `POST /api/service/users`. The link in that letter opens the account.";
    ScopeMissing = "scope_missing", FORBIDDEN, "The API key may not do this",
        "The key is good, but has none of the scopes that the detail names.";
    FormForged = "form_forged", FORBIDDEN, "The form did not come from this page",
        "The form is too old, or another site sent it. Load the page again.";
    OriginRefused = "origin_refused", FORBIDDEN, "Another site's page asks for this",
        "Where `auth.refresh_cookie` is on, what the cookie permits is done for pages of `http.public_url` and of `http.cors_origins` only.";
    NotFound = "not_found", NOT_FOUND, "There is nothing here",
        "No such route or thing; a route of a module that is switched off (`modules`) answers this too.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method does not go with this route",
        "`Allow` in the answer names the methods that do.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long",
        "The body did not arrive in time, or the answer did not. What was asked for may have happened: ask again with the same `Idempotency-Key` where the route takes one.";
    MailState = "mail_state", CONFLICT, "The letter is in another state",
        "Only a letter that waits or is put off can be cancelled, and only one that has ended, and was not sent again before, can be sent again. The detail says how it stands.";
    MailContentErased = "mail_content_erased", CONFLICT, "The letter's content is gone",
        "What a letter says is erased when it is sent or ends otherwise; only dead letters keep it. Ask for the letter anew.";
    Conflict = "conflict", CONFLICT, "Something of this kind is already there",
        "The detail says what it collides with.";
    EmailTaken = "email_taken", CONFLICT, "The address belongs to another account",
        "Since the change was asked for, somebody else has opened an account with this address. The link stays good until it expires, should that account go away.";
    CursorExpired = "cursor_expired", GONE, "What came after this cursor is gone",
        "Events are kept for `retention.events`, and some after this `after` have been swept; or this database never gave such a number, having come back from a backup, say. Begin without `after`, and look at whatever else you keep: some events you will never see.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "64 KiB, or 12 MiB for mail.";
    MediaTypeUnsupported = "media_type_unsupported", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send `Content-Type: application/json` (a form for a hosted page: `application/x-www-form-urlencoded`).";
    ValidationFailed = "validation_failed", UNPROCESSABLE_ENTITY, "Some fields are not valid",
        "`errors` holds, for each field, what is wrong with it.";
    PasswordTooShort = "password_too_short", UNPROCESSABLE_ENTITY, "The password is too short",
        "The least number of characters is `accounts.min_password_length` (15, NIST SP 800-63B-4). A sentence is easier to remember than a short jumble.";
    PasswordTooLong = "password_too_long", UNPROCESSABLE_ENTITY, "The password is too long",
        "1,024 bytes at most.";
    PasswordCommon = "password_common", UNPROCESSABLE_ENTITY, "The password is one of those tried first",
        "It stands in the list of common passwords, or repeats or counts up something that does.";
    PasswordContextual = "password_contextual", UNPROCESSABLE_ENTITY, "The password is too close to the account",
        "It is little more than the address, a name, or the name of this service.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for something else",
        "The same key came with another body. Use a new key for each thing you ask for.";
    TokenMalformed = "token_malformed", BAD_REQUEST, "The token is not one of ours",
        "It is cut short, altered, or was signed with another key. As a bearer token it gives 401.";
    TokenExpired = "token_expired", BAD_REQUEST, "The token has expired",
        "Ask for a new one. As a bearer token it gives 401: refresh, then ask again.";
    TokenUsed = "token_used", BAD_REQUEST, "The token was used before",
        "It works once. For an activation this means that the account is active: log in.";
    TokenRevoked = "token_revoked", BAD_REQUEST, "The token was revoked",
        "By logging out, by a change of password, by a newer link or by an administrator. As a bearer token it gives 401: log in again.";
    TokenWrongPurpose = "token_wrong_purpose", BAD_REQUEST, "The token is for something else",
        "Each token is good for one purpose. As a bearer token it gives 401.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
        "Wait as many seconds as `Retry-After` says. Limits count by client address (behind a proxy: set `http.trusted_proxies`) and by account, known or not.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong here",
        "A fault of the program. The log has it under the request id in `X-Request-Id`.";
    DependencyUnavailable = "dependency_unavailable", SERVICE_UNAVAILABLE, "Something this needs is not reachable",
        "The database does not answer, or what is revoked is not known for sure. Nothing was changed; try again after `Retry-After`.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much is waiting",
        "More passwords wait to be hashed than can be in time. Try again after `Retry-After`.";
}

impl Code {
    /// The identifier of the problem type (RFC 9457, 3.1.1): where it is explained.
    pub fn type_uri(self) -> String {
        format!(
            "https://github.com/gatepost/gatepost/blob/main/docs/errors.md#{}",
            self.as_str()
        )
    }
}

/// The page of the documents that explains every code.
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Every error is `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `code`, and for 422 \
         `errors`: for each field a list of what is wrong with it. Match on `code`; `detail` is for people and may be \
         worded anew. This page is made from `crates/server/src/http/code.rs`.\n",
    );
    for code in Code::ALL {
        let _ = write!(
            page,
            "\n## {}\n\n{} {}. {}\n",
            code.as_str(),
            code.status().as_u16(),
            code.title(),
            code.help()
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_documents_is_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        if std::env::var_os("GATEPOST_WRITE").is_some() {
            std::fs::write(path, errors_page()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == errors_page(),
            "docs/errors.md is out of date: GATEPOST_WRITE=1 cargo test -p gatepost --lib the_page_in_the_documents"
        );
    }

    #[test]
    fn no_two_codes_share_a_name() {
        let names: std::collections::HashSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
