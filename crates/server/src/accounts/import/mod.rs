//! Users of a Django project become ours: nothing is sent, and nobody has to do anything. Done again, it brings what is
//! new and what was changed there, and leaves alone what was changed here.

use std::collections::{BTreeMap, HashMap, HashSet};

use gatepost_storage::imported_users::{self, ImportedRow};
use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{Error, Store, Tx, UserId, new_id};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::email::Email;
use super::hasher::Hasher;
use super::stored_hash::StoredHash;

/// Rows a transaction: short enough to be in nobody's way.
const BATCH: i64 = 500;

/// What became of the users of the other table.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Counts {
    /// Rows that were read.
    pub read: u64,
    /// New accounts.
    pub imported: u64,
    /// Accounts of an earlier import that were brought up to what stands there now.
    pub updated: u64,
    /// Accounts of an earlier import that are as they were.
    pub unchanged: u64,
    /// Rows that became no account, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Of the new and the changed ones, how their passwords are stored.
    pub passwords: BTreeMap<&'static str, u64>,
    /// Of these, how many have a password that can't be compared: their owners choose another by "forgot password".
    pub without_password: u64,
}

impl Counts {
    /// How many rows became no account.
    pub fn all_skipped(&self) -> u64 {
        self.skipped.values().sum()
    }

    fn count(&mut self, fate: Fate, row: &UserRow, hasher: &Hasher) {
        self.read += 1;
        match fate {
            Fate::Imported => self.imported += 1,
            Fate::Updated => self.updated += 1,
            Fate::Unchanged => self.unchanged += 1,
            Fate::Skipped(why) => *self.skipped.entry(why).or_default() += 1,
        }
        if matches!(fate, Fate::Imported | Fate::Updated) {
            let kind = match StoredHash::parse(&row.password) {
                Ok(Some(stored)) => stored.shape().name(),
                Ok(None) => "none set",
                Err(_) => "not known",
            };
            *self.passwords.entry(kind).or_default() += 1;
            self.without_password += u64::from(!hasher.can_compare(&row.password));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Imported,
    Updated,
    Unchanged,
    Skipped(&'static str),
}

const NO_ADDRESS: Fate = Fate::Skipped("no address that a letter can go to");
const TAKEN: Fate = Fate::Skipped("another account has the address");
const DELETED: Fate = Fate::Skipped("was imported before and deleted here since");
const BOTH: Fate = Fate::Skipped("password changed on both sides since; left as it is here");

/// An import under way.
#[derive(Debug)]
pub struct Import {
    source: Store,
    here: Store,
    hasher: Hasher,
    dry: bool,
    after: Option<UserId>,
    /// Of a dry run, which writes nothing that would tell.
    seen: HashSet<String>,
    counts: Counts,
}

impl Import {
    /// From the table of `source` (a store whose users are another program's) into our own. `after` is where an
    /// earlier run stopped. A `dry` run writes nothing.
    pub fn new(source: Store, here: Store, hasher: Hasher, after: Option<UserId>, dry: bool) -> Self {
        Self {
            source,
            here,
            hasher,
            dry,
            after,
            seen: HashSet::new(),
            counts: Counts::default(),
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The last row that is done with.
    pub fn after(&self) -> Option<UserId> {
        self.after
    }

    /// Some more rows, in one transaction together with the note of where to go on; `false` if there are none.
    pub async fn step(&mut self, cursor: &str) -> Result<bool, Error> {
        let after = self.after;
        let rows = self
            .source
            .read("read_users", move |tx| Box::pin(users::list(tx, after, BATCH)))
            .await?;
        let Some(last) = rows.last().map(|row| row.id) else {
            return Ok(false);
        };
        let fates = if self.dry {
            self.rehearse(&rows).await?
        } else {
            self.write(rows.clone(), cursor.to_owned(), last).await?
        };
        for (row, fate) in rows.iter().zip(fates) {
            self.counts.count(fate, row, &self.hasher);
        }
        self.after = Some(last);
        Ok(true)
    }

    async fn write(&self, rows: Vec<UserRow>, cursor: String, last: UserId) -> Result<Vec<Fate>, Error> {
        let rows = std::sync::Arc::new(rows);
        self.here
            .run_tx("import_users", move |tx| {
                let (rows, cursor) = (rows.clone(), cursor.clone());
                Box::pin(async move {
                    let known = known(tx, &rows).await?;
                    let mut fates = Vec::with_capacity(rows.len());
                    for row in rows.iter() {
                        fates.push(one(tx, row, known.get(&row.id.to_string())).await?);
                    }
                    gatepost_storage::settings::put(tx, &cursor, &last.to_string()).await?;
                    Ok(fates)
                })
            })
            .await
    }

    async fn rehearse(&mut self, rows: &[UserRow]) -> Result<Vec<Fate>, Error> {
        let all = std::sync::Arc::new(rows.to_vec());
        let looked = self
            .here
            .read("rehearse_import", move |tx| {
                let all = all.clone();
                Box::pin(async move {
                    let known = known(tx, &all).await?;
                    let mut taken = HashSet::new();
                    for row in all.iter() {
                        if let Ok(email) = row.email.parse::<Email>()
                            && users::by_email(tx, email.canonical()).await?.is_some()
                        {
                            taken.insert(email.canonical().to_owned());
                        }
                    }
                    Ok::<_, Error>((known, taken))
                })
            })
            .await?;
        let (known, taken) = looked;
        let fate = |row: &UserRow| match (known.get(&row.id.to_string()), row.email.parse::<Email>()) {
            (Some(before), _) => again(row, before),
            (None, Err(_)) => NO_ADDRESS,
            (None, Ok(email)) => {
                let is_new = self.seen.insert(email.canonical().to_owned());
                if is_new && !taken.contains(email.canonical()) {
                    Fate::Imported
                } else {
                    TAKEN
                }
            }
        };
        Ok(rows.iter().map(fate).collect())
    }
}

async fn known(tx: &mut Tx<'_>, rows: &[UserRow]) -> Result<HashMap<String, ImportedRow>, Error> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    let known = imported_users::known(tx, &ids).await?;
    Ok(known
        .into_iter()
        .map(|row| (row.source_id.clone(), row))
        .collect())
}

/// What is to be done with somebody who was imported before.
fn again(row: &UserRow, before: &ImportedRow) -> Fate {
    let (Some(_), Some(here)) = (before.user_id, &before.password) else {
        return DELETED;
    };
    match (
        digest(&row.password) == before.password_digest,
        // Whoever logged in here had the same password hashed anew: that is no change.
        before.password_changed_at.is_none() || digest(here) == before.password_digest,
    ) {
        (true, _) => Fate::Unchanged,
        (false, true) => Fate::Updated,
        (false, false) => BOTH,
    }
}

async fn one(tx: &mut Tx<'_>, row: &UserRow, before: Option<&ImportedRow>) -> Result<Fate, Error> {
    let source_id = row.id.to_string();
    if let Some(before) = before {
        let fate = again(row, before);
        if let (Fate::Updated, Some(user_id), Some(here)) = (fate, before.user_id, &before.password) {
            let login = row.last_login_at;
            if !imported_users::refresh(tx, user_id, here, &row.password, row.active, login).await? {
                return Ok(BOTH);
            }
            imported_users::note(tx, &source_id, user_id.into(), &digest(&row.password)).await?;
        }
        return Ok(fate);
    }
    let Ok(email) = row.email.parse::<Email>() else {
        return Ok(NO_ADDRESS);
    };
    let user = UserRow {
        // A key that is a UUID stays what it is, and with it every token and every row elsewhere that has it.
        id: row.id.uuid().unwrap_or_else(|| new_id(tx.now())).into(),
        email: email.address().to_string(),
        email_canonical: email.canonical().to_owned(),
        updated_at: tx.now(),
        ..row.clone()
    };
    if !users::insert(tx, &user).await? {
        return Ok(TAKEN);
    }
    gatepost_storage::registrations::void_email(tx, &user.email_canonical).await?;
    imported_users::note(tx, &source_id, user.id, &digest(&row.password)).await?;
    Ok(Fate::Imported)
}

/// Enough to see whether a password string changed, and nothing that could be tried against.
pub(crate) fn digest(password: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(password))
}
