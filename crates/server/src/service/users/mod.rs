//! `/api/service/users*`: accounts, for other programs. The same verbs as `gatepost user`, one a file.

pub mod create;
pub mod delete;
pub mod invite;
pub mod list;
pub mod revoke;
pub mod show;
pub mod update;

use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{Tx, UserId};

use crate::http::Problem;

/// The account, or 404.
async fn existing(tx: &mut Tx<'_>, id: UserId) -> Result<UserRow, Problem> {
    users::get(tx, id).await?.ok_or_else(Problem::not_found)
}
