//! The API for other programs, each call with an API key of the right scope: tokens, mail, captured mail,
//! accounts, events. One verb a file.

pub mod api_key;
pub mod events;
pub mod inbox;
pub mod known_keys;
pub mod mail;
pub mod oauth;
pub mod page;
pub mod queues;
pub mod revocations;
pub mod scope;
pub mod tokens;
pub mod users;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::{Module, Modules};

/// The routes of the modules that are switched on.
pub fn router(modules: &Modules) -> OpenApiRouter<App> {
    let mut router = OpenApiRouter::new();
    if modules.has(Module::Messaging) {
        router = router
            .routes(routes!(events::list::list))
            .routes(routes!(queues::list::list))
            .routes(routes!(queues::show::show))
            .routes(routes!(queues::peek::peek))
            .routes(routes!(queues::publish::publish))
            .routes(routes!(queues::replay::replay))
            .routes(routes!(queues::discard::discard));
    }
    if modules.has(Module::Tokens) {
        router = router
            .routes(routes!(revocations::list::list))
            .routes(routes!(tokens::create::create))
            .routes(routes!(tokens::verify::verify))
            .routes(routes!(tokens::validate::validate))
            .routes(routes!(tokens::revoke::revoke))
            .routes(routes!(oauth::introspect::introspect))
            .routes(routes!(oauth::revoke::revoke));
        let batch = OpenApiRouter::new()
            .routes(routes!(tokens::batch::batch))
            .layer(DefaultBodyLimit::max(tokens::batch::MAX_BODY));
        router = router.merge(batch);
    }
    if modules.has(Module::Mail) {
        let mail = OpenApiRouter::new()
            .routes(routes!(mail::send::send, mail::list::list))
            .layer(DefaultBodyLimit::max(mail::MAX_BODY));
        let bounces = OpenApiRouter::new()
            .routes(routes!(mail::bounces::bounces))
            .layer(DefaultBodyLimit::max(mail::bounces::MAX_BODY));
        router = router
            .merge(mail)
            .merge(bounces)
            .routes(routes!(mail::pause::pause))
            .routes(routes!(mail::resume::resume))
            .routes(routes!(mail::resend::resend))
            .routes(routes!(mail::cancel::cancel))
            .routes(routes!(mail::show::show))
            .routes(routes!(inbox::list::list))
            .routes(routes!(inbox::show::show));
    }
    if modules.has(Module::Accounts) {
        router = router
            .routes(routes!(users::list::list, users::create::create))
            .routes(routes!(
                users::show::show,
                users::update::update,
                users::delete::delete
            ))
            .routes(routes!(users::revoke::revoke))
            .routes(routes!(users::invite::invite));
    }
    router
}
