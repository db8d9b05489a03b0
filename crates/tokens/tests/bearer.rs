//! `Bearer<P>`: what is let in, and what is answered to the rest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse as _;
use gatepost_storage::{Set, Store, StoreOptions};
use gatepost_tokens::testing::keys;
use gatepost_tokens::{Access, Bearer, BearerRejection, Refresh, Refused, TokenService, Tokens};

async fn ask(service: &TokenService, headers: &[&str]) -> Result<String, BearerRejection> {
    let mut request = Request::builder();
    for header in headers {
        request = request.header("authorization", *header);
    }
    let (mut parts, _) = request.body(Body::empty()).unwrap().into_parts();
    let Bearer(token) = Bearer::<Access>::from_request_parts(&mut parts, service).await?;
    Ok(token.user_id().to_owned())
}

#[tokio::test]
async fn only_one_living_access_token_in_one_header_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("t.db").display());
    let store = Store::open(&url, StoreOptions::default()).await.unwrap();
    store.migrate(&[Set::Tokens]).await.unwrap();
    let service = TokenService::new(Tokens::new(keys()), &store);
    let access = service.create::<Access>("42").await.unwrap().raw;
    let refresh = service.create::<Refresh>("42").await.unwrap().raw;
    let good = format!("Bearer {access}");

    assert_eq!(ask(&service, &[&good]).await.unwrap(), "42");
    assert_eq!(ask(&service, &[&format!("bEARER {access}")]).await.unwrap(), "42");
    for missing in [
        vec![],
        vec!["Bearer "],
        vec!["Basic dTpw"],
        vec![access.as_str()],
        vec![&good, &good],
    ] {
        assert_eq!(
            ask(&service, &missing).await,
            Err(BearerRejection::Missing),
            "{missing:?}"
        );
    }
    let wrong = ask(&service, &[&format!("Bearer {refresh}")]).await.unwrap_err();
    assert_eq!(wrong, BearerRejection::Refused(Refused::WrongPurpose));
    let answer = wrong.into_response();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(
        answer.headers()["www-authenticate"],
        r#"Bearer error="invalid_token""#
    );

    store.close().await;
    let closed = TokenService::new(Tokens::new(keys()), &store);
    let answer = ask(&closed, &[&good]).await.unwrap_err().into_response();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
}
