//! The stylesheet and the mark: compiled in, kept by browsers for good, since their address holds a digest of
//! what they are.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    /// Its name under `/assets/`.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Itself.
    pub bytes: &'static [u8],
    /// The first 16 hexadecimal digits of its SHA-256.
    pub digest: String,
}

static ALL: LazyLock<[Asset; 2]> = LazyLock::new(|| {
    let css: &[u8] = include_bytes!("../../../pages/assets/gatepost.css");
    let mark: &[u8] = include_bytes!("../../../pages/assets/mark.svg");
    [
        ("gatepost.css", "text/css; charset=utf-8", css),
        ("mark.svg", "image/svg+xml", mark),
    ]
    .map(|(name, content_type, bytes)| Asset {
        name,
        content_type,
        bytes,
        digest: digest(bytes),
    })
});

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(8)
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The asset of that name.
pub fn get(name: &str) -> Option<&'static Asset> {
    ALL.iter().find(|asset| asset.name == name)
}

/// Where pages find it: `/assets/gatepost.css?v=0123456789abcdef`.
pub fn address(name: &str) -> String {
    let digest = get(name).map_or("", |asset| asset.digest.as_str());
    format!("/assets/{name}?v={digest}")
}

/// `GET /assets/{name}`.
pub async fn serve(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(asset) = get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{}\"", asset.digest);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.bytes.into_response()
    };
    // Under an older digest the address may come from a page of another release, during a rolling restart.
    let caching = if query.is_some_and(|query| query == format!("v={}", asset.digest)) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let head = response.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    head.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // The mark carries its two colours inside itself.
    head.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    if let Ok(etag) = HeaderValue::try_from(etag) {
        head.insert(header::ETAG, etag);
    }
    response
}
