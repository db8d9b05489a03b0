//! djangorestframework-simplejwt's own routes, under every prefix of `simplejwt.prefixes`: the same bodies, the same
//! statuses, the same words, so that a client of Django's does not notice who answered.
//!
//! Read in the source of 5.5.1 and compared with it running (`tests/outside/live_django`). What makes Django answer
//! 500 is a refusal here.

mod answer;
mod blacklist;
mod described;
mod fields;
mod form;
mod metadata;
mod multipart;
mod obtain;
mod python_json;
mod refresh;
mod slash;
mod value;
mod verify;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;

pub(crate) use self::described::Routes;
use self::fields::Wish;
pub(crate) use self::slash::not_found;

use crate::app::App;
use crate::auth::arrival::Arrival;
use crate::http::Client;

/// The five views of simplejwt that are one function of a request each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Obtain { sliding: bool },
    Refresh,
    RefreshSliding,
    Verify,
    Blacklist,
}

const OBTAIN: &str = "/";
const REFRESH: &str = "/refresh/";
const VERIFY: &str = "/verify/";
const BLACKLIST: &str = "/blacklist/";

/// All of them, under all prefixes; nothing where the dialect is neither spoken nor taken.
pub fn router(app: &App) -> Router<App> {
    let mut router = Router::new();
    if !app.config.uses_simplejwt() {
        return router;
    }
    let settings = &app.config.simplejwt;
    for prefix in &settings.prefixes {
        router = under(router, prefix, false);
    }
    for prefix in &settings.sliding_prefixes {
        router = under(router, prefix, true);
    }
    router
}

/// simplejwt's names end in a slash; djoser's may.
fn under(router: Router<App>, prefix: &str, sliding: bool) -> Router<App> {
    let refresh = if sliding {
        View::RefreshSliding
    } else {
        View::Refresh
    };
    let obtain = View::Obtain { sliding };
    let mut paths = vec![
        (OBTAIN.to_owned(), obtain),
        (REFRESH.to_owned(), refresh),
        (VERIFY.to_owned(), View::Verify),
        (BLACKLIST.to_owned(), View::Blacklist),
    ];
    for slash in ["", "/"] {
        paths.push((format!("/jwt/create{slash}"), obtain));
        paths.push((format!("/jwt/refresh{slash}"), refresh));
        paths.push((format!("/jwt/verify{slash}"), View::Verify));
    }
    paths.into_iter().fold(router, |router, (path, view)| {
        let handler = async move |app: axum::extract::State<App>, client: Client, request: Request| {
            serve(app.0, client, request, view).await
        };
        router.route(&format!("{prefix}{path}"), any(handler))
    })
}

/// Every method comes here, since a wrong one has an answer of Django's, too.
async fn serve(app: App, client: Client, request: Request, view: View) -> Response {
    let scheme = app
        .config
        .simplejwt
        .settings
        .auth_header_types
        .first()
        .cloned()
        .unwrap_or_default();
    let arrival = Arrival::of(&app, client, request.headers());
    let outcome = match fields::of(request).await {
        Err(refused) => Err(refused),
        Ok(Wish::Metadata) => metadata::metadata(view, app.config.username_field()),
        Ok(Wish::Post(fields)) => match view {
            View::Obtain { sliding } => obtain::obtain(&app, client, &arrival, &fields, sliding).await,
            View::Refresh => refresh::refresh(&app, client, arrival.session, &fields).await,
            View::RefreshSliding => refresh::slide(&app, client, &fields).await,
            View::Verify => verify::verify(&app, client, &fields).await,
            View::Blacklist => blacklist::blacklist(&app, client, &fields).await,
        },
    };
    answer::respond(outcome, &scheme)
}
