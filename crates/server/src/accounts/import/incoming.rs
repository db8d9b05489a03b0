//! A row of the other table beside what stands here.

use std::collections::BTreeMap;

use base64::Engine;
use gatepost_storage::imported_users::{ImportedRow, Note};
use gatepost_storage::users::UserRow;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{BOTH, DELETED, Fate};
use crate::accounts::email::Email;

/// A row of the other table as it would stand in ours.
pub(super) struct Incoming<'a> {
    pub(super) row: &'a UserRow,
    pub(super) source_id: String,
    /// None where no letter can go to what stands there.
    pub(super) email: Option<Email>,
}

/// What is to be done with somebody who was imported before.
pub(super) enum Again {
    /// Nothing.
    Leave(Fate),
    /// Put this in the place of what stands here, and remember what the other side says.
    Bring(Box<UserRow>, Note),
}

/// Which side changed something since it was the same on both.
#[derive(Clone, Copy)]
enum Side {
    Neither,
    Theirs,
    Both,
}

impl Side {
    /// By digests: what both had, what each has now. Where the first is not known nothing is taken for changed.
    fn of(known: Option<&str>, theirs: &str, ours: &str) -> Self {
        match known {
            Some(known) if theirs != known && theirs != ours => {
                if ours == known {
                    Side::Theirs
                } else {
                    Side::Both
                }
            }
            _ => Side::Neither,
        }
    }

    /// What both have from now on; what was left alone is still to be told from it.
    fn known<'a>(self, before: Option<&'a str>, theirs: &'a str) -> &'a str {
        match self {
            Side::Both => before.unwrap_or(theirs),
            Side::Neither | Side::Theirs => theirs,
        }
    }
}

impl<'a> Incoming<'a> {
    pub(super) fn of(row: &'a UserRow) -> Self {
        Self {
            row,
            source_id: row.id.to_string(),
            email: row.email.parse().ok(),
        }
    }

    /// The account that it becomes; none without an address.
    pub(super) fn account(&self, id: impl FnOnce() -> Uuid) -> Option<UserRow> {
        let email = self.email.as_ref()?;
        Some(UserRow {
            // A key that is a UUID stays what it is, and with it every token and every row elsewhere that has it.
            id: self.row.id.uuid().unwrap_or_else(id).into(),
            email: email.address().to_string(),
            email_canonical: email.canonical().to_owned(),
            ..self.row.clone()
        })
    }

    pub(super) fn note(&self, user: &UserRow) -> Option<Note> {
        Some(Note {
            source_id: self.source_id.clone(),
            user_id: user.id.uuid()?,
            password_digest: digest(&self.row.password),
            row_digest: row_digest(user),
        })
    }

    pub(super) fn again(&self, before: &ImportedRow) -> Again {
        let Some((id, here)) = standing(before) else {
            return Again::Leave(DELETED);
        };
        let Some(there) = self.beside(id, &here) else {
            return Again::Leave(Fate::Unchanged);
        };
        let (of_password, of_row) = (digest(&there.password), row_digest(&there));
        let ours = match before.password_changed_at {
            Some(_) => digest(&here.password),
            // Whoever logged in here had the same password hashed anew: that is no change.
            None => before.password_digest.clone(),
        };
        let password = Side::of(Some(&before.password_digest), &of_password, &ours);
        let row = Side::of(before.row_digest.as_deref(), &of_row, &row_digest(&here));
        let new = match (password, row) {
            (Side::Neither, Side::Neither) => return Again::Leave(Fate::Unchanged),
            (Side::Theirs, Side::Theirs) => there,
            (Side::Theirs, _) => UserRow {
                password: there.password,
                last_login_at: there.last_login_at,
                ..here
            },
            (_, Side::Theirs) => UserRow {
                password: here.password,
                ..there
            },
            _ => return Again::Leave(BOTH),
        };
        let note = Note {
            source_id: self.source_id.clone(),
            user_id: id,
            password_digest: password
                .known(Some(&before.password_digest), &of_password)
                .to_owned(),
            row_digest: row.known(before.row_digest.as_deref(), &of_row).to_owned(),
        };
        Again::Bring(Box::new(new), note)
    }

    /// The account as the other side has it now. An address that became none is no reason to lose the one here.
    fn beside(&self, id: Uuid, here: &UserRow) -> Option<UserRow> {
        let email = self.email.clone().or_else(|| here.email.parse().ok())?;
        Some(UserRow {
            id: id.into(),
            email: email.address().to_string(),
            email_canonical: email.canonical().to_owned(),
            ..self.row.clone()
        })
    }
}

/// The account as it stands here, if it was not deleted.
fn standing(before: &ImportedRow) -> Option<(Uuid, UserRow)> {
    let id = before.user_id?;
    let email: Email = before.email.as_ref()?.parse().ok()?;
    let updated_at = before.updated_at?;
    let user = UserRow {
        id: id.into(),
        email: email.address().to_string(),
        email_canonical: email.canonical().to_owned(),
        password: before.password.clone()?,
        active: before.active?,
        locale: before.locale.clone()?,
        profile: before.profile.clone()?,
        created_at: updated_at,
        updated_at,
        activated_at: None,
        password_changed_at: before.password_changed_at,
        last_login_at: None,
    };
    Some((id, user))
}

/// Enough to see whether a text changed, and nothing that could be tried against.
pub(crate) fn digest(text: &str) -> String {
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(text))
}

/// The same of what an account is besides its password. Two spellings of one profile are the same.
fn row_digest(user: &UserRow) -> String {
    let fields: BTreeMap<String, &serde_json::Value> = user
        .profile
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value))
        .collect();
    digest(&format!(
        "{}\n{}\n{}\n{fields:?}",
        user.email, user.active, user.locale
    ))
}
