//! Change what is not about security in one's own account.

use axum::extract::State;
use gatepost_storage::users;
use serde::Deserialize;
use utoipa::ToSchema;

use super::gone;
use crate::accounts::profile::{LocaleTag, Profile};
use crate::accounts::user::User;
use crate::app::App;
use crate::events;
use crate::http::bearer::Bearer;
use crate::http::{Json, Problem, ProblemDocument};

/// What is to change; what is missing stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Changes {
    /// The language of letters.
    #[serde(default)]
    pub locale: Option<LocaleTag>,
    /// In place of the whole profile.
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// Change the language of your letters, or your profile.
#[utoipa::path(patch, path = "/api/users/me", tag = "users", request_body = Changes, security(("access" = [])), responses(
    (status = 200, body = User),
    (status = 401, description = "`credentials_missing`, `token_*`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn update(
    State(app): State<App>,
    bearer: Bearer,
    Json(changes): Json<Changes>,
) -> Result<Json<User>, Problem> {
    let locale = changes.locale.map(|locale| locale.as_str().to_owned());
    let profile = changes.profile.map(Profile::into_value);
    let fields: Vec<&str> = [("locale", locale.is_some()), ("profile", profile.is_some())]
        .iter()
        .filter_map(|(field, given)| given.then_some(*field))
        .collect();
    let id = bearer.user_id;
    app.store
        .run_tx("update_me", move |tx| {
            let (locale, profile, fields) = (locale.clone(), profile.clone(), fields.clone());
            Box::pin(async move {
                if !users::update_profile(tx, id, locale.as_deref(), profile.as_ref()).await? {
                    return Err(gone());
                }
                if !fields.is_empty() {
                    events::user::updated(tx, id, &fields).await?;
                }
                let row = users::get(tx, id).await?.ok_or_else(gone)?;
                Ok(Json(User::from(&row)))
            })
        })
        .await
}
