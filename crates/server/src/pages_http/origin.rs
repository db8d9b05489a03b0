//! Forms of other sites are refused before anything is read of them.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::{Code, Problem};

/// Lets a request pass unless it would change something and comes from another site.
///
/// Our pages send no referrer, so that browsers say `Origin: null` with our own forms (Fetch, 3.2); then
/// `Sec-Fetch-Site` decides, which every browser sends over https and to this machine. What has neither is no
/// browser, or an old one: the forms of a session carry a token of their own besides.
pub(crate) async fn same_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || is_ours(request.headers(), app.config.http.public_url.as_str()) {
        next.run(request).await
    } else {
        Problem::new(Code::FormForged)
            .detail("The form came from another site.")
            .into_response()
    }
}

/// Whether a request comes from a page of ours, or from no page at all.
pub(crate) fn is_ours(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, None | Some("null")) => true,
        (None, Some(origin)) => {
            let here = text(header::HOST.as_str()).is_some_and(|host| {
                origin
                    .split_once("://")
                    .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
            });
            here || public_url
                .strip_prefix(origin)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        is_ours(&headers, "https://id.example.com/auth")
    }

    #[test]
    fn the_browser_says_where_a_form_came_from() {
        assert!(passes(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(passes(&[("sec-fetch-site", "none")]));
        assert!(!passes(&[("sec-fetch-site", "cross-site"), ("origin", "null")]));
        assert!(!passes(&[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example.com")
        ]));
    }

    #[test]
    fn an_older_one_names_its_origin_at_most() {
        assert!(passes(&[]));
        assert!(passes(&[("origin", "https://id.example.com")]));
        assert!(passes(&[
            ("origin", "http://127.0.0.1:8080"),
            ("host", "127.0.0.1:8080")
        ]));
        assert!(!passes(&[
            ("origin", "https://evil.example"),
            ("host", "127.0.0.1:8080")
        ]));
        assert!(!passes(&[("origin", "https://id.example.co")]));
        assert!(!passes(&[("origin", "")]));
    }
}
