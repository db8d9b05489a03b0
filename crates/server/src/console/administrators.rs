//! Administrators of the console, and the one-time links that let them set their passwords.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use gatepost_mail::EmailAddress;
use gatepost_storage::admins::{self, AdminRow};
use gatepost_storage::{Error, Tx, audit, new_id};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::PublicUrl;

/// How long a set-up link lives. It is shown on a terminal and used at once.
pub const LINK_LIFETIME: Duration = Duration::from_mins(15);

/// Whom a living link is for.
#[derive(Debug)]
pub struct Link {
    /// `None`: for the first administrator, who names the address.
    pub admin: Option<AdminRow>,
}

/// What became of a link.
#[derive(Debug)]
pub enum SetUp {
    /// The password is set, the link used up, other links of the same kind are void.
    Done(AdminRow),
    /// It is no link, or no longer.
    LinkGone,
    /// It is for the first administrator, and no address was given.
    EmailNeeded,
    /// It is for the first administrator, and the address is an administrator's already.
    EmailTaken,
}

/// Makes a link's token: 256 random bits, of which only the hash is kept. `None` is for the first administrator.
pub async fn make_link(
    tx: &mut Tx<'_>,
    actor: &str,
    admin: Option<uuid::Uuid>,
) -> Result<SecretString, Error> {
    let raw = BASE64_URL_SAFE_NO_PAD.encode(crate::random::bytes::<32>());
    let expires_at = tx.now() + LINK_LIFETIME;
    admins::add_link(tx, &hash(&raw), admin, expires_at).await?;
    audit::note(tx, actor, "admin.link_made", None, json!({"admin": admin})).await?;
    Ok(raw.into())
}

/// Whom the link is for. Changes nothing.
pub async fn peek_link(tx: &mut Tx<'_>, raw: &str) -> Result<Option<Link>, Error> {
    match admins::peek_link(tx, &hash(raw)).await? {
        None => Ok(None),
        Some(None) => Ok(Some(Link { admin: None })),
        Some(Some(id)) => Ok(admins::by_id(tx, id)
            .await?
            .map(|admin| Link { admin: Some(admin) })),
    }
}

/// Uses the link up and sets the password, in the caller's transaction: rolled back, the link is good again.
/// `email` is needed, and looked at, only if the link is for the first administrator.
pub async fn use_link(
    tx: &mut Tx<'_>,
    raw: &str,
    email: Option<&EmailAddress>,
    password_hash: &str,
) -> Result<SetUp, Error> {
    let Some(link) = peek_link(tx, raw).await? else {
        return Ok(SetUp::LinkGone);
    };
    let new = match (&link.admin, email) {
        (Some(_), _) => None,
        (None, None) => return Ok(SetUp::EmailNeeded),
        (None, Some(email)) => Some(email),
    };
    if let Some(email) = new
        && admins::by_canonical(tx, &email.canonical()).await?.is_some()
    {
        return Ok(SetUp::EmailTaken);
    }
    // The guard: of all who come this far with the same link, one goes on.
    if !admins::take_link(tx, &hash(raw)).await? {
        return Ok(SetUp::LinkGone);
    }
    let id = match (link.admin, new) {
        (Some(admin), _) => admin.id,
        (None, Some(email)) => {
            let id = new_id(tx.now());
            if !admins::insert(tx, id, email.as_str(), &email.canonical()).await? {
                return Ok(SetUp::EmailTaken);
            }
            id
        }
        (None, None) => return Ok(SetUp::EmailNeeded),
    };
    admins::drop_links(tx, new.is_none().then_some(id)).await?;
    admins::set_password(tx, id, password_hash).await?;
    Ok(admins::by_id(tx, id).await?.map_or(SetUp::LinkGone, SetUp::Done))
}

/// Where the link leads. The fragment of trust is the token: print it to a terminal, never into a log.
pub fn link_url(public_url: &PublicUrl, raw: &str) -> String {
    public_url.join(&format!("/console/set-up?token={raw}"))
}

fn hash(raw: &str) -> Vec<u8> {
    Sha256::digest(raw.as_bytes()).to_vec()
}
