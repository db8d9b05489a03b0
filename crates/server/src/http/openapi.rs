//! `GET /openapi.json`: made from the endpoints themselves, so that it cannot say anything else.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// What is said once, above all endpoints.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Gatepost",
        description = "Accounts, tokens and mail. JSON in and out, UTF-8; times RFC 3339 in UTC; ids are opaque. \
                       Errors are `application/problem+json` with a stable `code`, each explained in docs/errors.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(super::problem::ProblemDocument, super::problem::FieldError)),
    tags(
        (name = "users", description = "The life of an account"),
        (name = "auth", description = "Sessions: log in, refresh, log out"),
        (name = "tokens", description = "Tokens for one purpose, for other programs"),
        (name = "mail", description = "Letters, for other programs"),
        (name = "service", description = "Accounts, for other programs"),
        (name = "events", description = "What happened, for other programs"),
        (name = "queues", description = "Queues and dead letters, for other programs"),
        (name = "system", description = "How the program is"),
    ),
    modifiers(&Schemes)
)]
pub struct Api;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = |format: &str, text: &str| {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format(format)
                .description(Some(text));
            SecurityScheme::Http(scheme.build())
        };
        components.add_security_scheme(
            "access",
            bearer("JWT", "An access token, from `POST /api/auth/login`."),
        );
        components.add_security_scheme(
            "api_key",
            bearer(
                "gp_...",
                "A key made with `gatepost apikey create`, with the scope that the route names.",
            ),
        );
        let basic = HttpBuilder::new()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("An API key's name or id as user, the key as password."));
        components.add_security_scheme("api_key_basic", SecurityScheme::Http(basic.build()));
    }
}

/// The document, serialised once at start.
#[derive(Debug, Clone)]
pub struct Document(Arc<[u8]>);

impl Document {
    /// Serialise it, for people to read.
    pub fn new(api: &utoipa::openapi::OpenApi) -> Result<Self, serde_json::Error> {
        let mut text = api.to_pretty_json()?;
        text.push('\n');
        Ok(Self(text.into_bytes().into()))
    }

    /// The document's text.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The description of everything here.
#[utoipa::path(get, path = "/openapi.json", tag = "system", responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
pub async fn openapi(Extension(document): Extension<Document>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=300"),
        ),
    ];
    (headers, document.0.to_vec()).into_response()
}
