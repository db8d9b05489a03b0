//! A user as the outside sees one.

use gatepost_storage::Timestamp;
use gatepost_storage::users::UserRow;
use serde::Serialize;
use utoipa::ToSchema;

/// A user. Never the password, in any form.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    /// Opaque; what tokens carry as `sub`.
    pub id: String,
    /// The address as it was given.
    pub email: String,
    /// Whether the account may be used.
    pub active: bool,
    /// The language of letters.
    pub locale: String,
    /// Whatever the application keeps here.
    #[schema(value_type = Object)]
    pub profile: serde_json::Value,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the address was confirmed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub activated_at: Option<Timestamp>,
}

impl From<&UserRow> for User {
    fn from(row: &UserRow) -> Self {
        Self {
            id: row.id.to_string(),
            email: row.email.clone(),
            active: row.active,
            locale: row.locale.clone(),
            profile: row.profile.0.clone(),
            created_at: row.created_at,
            activated_at: row.activated_at,
        }
    }
}
