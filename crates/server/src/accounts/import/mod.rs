//! Users of a Django project become ours: nothing is sent, and nobody has to do anything. Done again, it brings what is
//! new and what was changed there, and leaves alone what was changed here.

mod counts;
mod incoming;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gatepost_storage::imported_users::{self, ImportedRow};
use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{Error, Store, Tx, UserId, fault, new_id};
use gatepost_tokens::{ServiceError, TokenService};

pub use self::counts::Counts;
use self::incoming::{Again, Incoming};
use super::hasher::Hasher;

pub(crate) use self::incoming::digest;

/// Rows a transaction: short enough to be in nobody's way.
const BATCH: i64 = 500;

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
const BOTH: Fate = Fate::Skipped("changed on both sides since; left as it is here");
const MOVED: Fate = Fate::Skipped("changed here at the same moment, or the new address is another account's");

/// An import under way.
#[derive(Debug)]
pub struct Import {
    source: Store,
    here: Store,
    hasher: Hasher,
    tokens: TokenService,
    dry: bool,
    after: Option<UserId>,
    /// Of a dry run, which writes nothing that would tell.
    seen: HashSet<String>,
    counts: Counts,
}

impl Import {
    /// From the table of `source` (a store whose users are another program's) into our own. `after` is where an
    /// earlier run stopped. A `dry` run writes nothing.
    pub fn new(
        source: Store,
        here: Store,
        hasher: Hasher,
        tokens: TokenService,
        after: Option<UserId>,
        dry: bool,
    ) -> Self {
        Self {
            source,
            here,
            hasher,
            tokens,
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

    /// The next rows of the other table; none after the last.
    pub async fn read(&self) -> Result<Vec<UserRow>, Error> {
        let after = self.after;
        self.source
            .read("read_users", move |tx| Box::pin(users::list(tx, after, BATCH)))
            .await
    }

    /// Takes `rows` in, in one transaction together with the note of where to go on.
    pub async fn take(&mut self, rows: Vec<UserRow>, cursor: &str) -> Result<(), ServiceError> {
        let Some(last) = rows.last().map(|row| row.id) else {
            return Ok(());
        };
        let rows = Arc::new(rows);
        let fates = if self.dry {
            self.rehearse(&rows).await?
        } else {
            self.write(Arc::clone(&rows), cursor.to_owned(), last).await?
        };
        fault::hit("import.taken");
        for (row, fate) in rows.iter().zip(fates) {
            self.counts.count(fate, row, &self.hasher);
        }
        self.after = Some(last);
        Ok(())
    }

    async fn write(
        &self,
        rows: Arc<Vec<UserRow>>,
        cursor: String,
        last: UserId,
    ) -> Result<Vec<Fate>, ServiceError> {
        let tokens = self.tokens.clone();
        self.here
            .run_tx("import_users", move |tx| {
                let (rows, cursor, tokens) = (Arc::clone(&rows), cursor.clone(), tokens.clone());
                Box::pin(async move {
                    let fates = all(tx, &tokens, &rows).await?;
                    fault::hit("import.written");
                    gatepost_storage::settings::put(tx, &cursor, &last.to_string()).await?;
                    Ok(fates)
                })
            })
            .await
    }

    async fn rehearse(&mut self, rows: &Arc<Vec<UserRow>>) -> Result<Vec<Fate>, Error> {
        let all = Arc::clone(rows);
        let (known, taken) = self
            .here
            .read("rehearse_import", move |tx| {
                Box::pin(async move {
                    let known = known(tx, &all).await?;
                    let addresses: Vec<String> = all
                        .iter()
                        .filter_map(|row| Incoming::of(row).email)
                        .map(|email| email.canonical().to_owned())
                        .collect();
                    let taken = imported_users::taken(tx, &addresses).await?;
                    Ok::<_, Error>((known, taken.into_iter().collect::<HashSet<_>>()))
                })
            })
            .await?;
        let fate = |row: &UserRow| {
            let new = Incoming::of(row);
            match (known.get(&new.source_id), &new.email) {
                (Some(before), _) => match new.again(before) {
                    Again::Leave(fate) => fate,
                    Again::Bring(..) => Fate::Updated,
                },
                (None, None) => NO_ADDRESS,
                (None, Some(email)) => {
                    let is_new = self.seen.insert(email.canonical().to_owned());
                    if is_new && !taken.contains(email.canonical()) {
                        Fate::Imported
                    } else {
                        TAKEN
                    }
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

/// The new ones with a few statements, those that were changed one by one.
async fn all(tx: &mut Tx<'_>, tokens: &TokenService, rows: &[UserRow]) -> Result<Vec<Fate>, ServiceError> {
    let known = known(tx, rows).await?;
    let now = tx.now();
    let mut fates = Vec::with_capacity(rows.len());
    let (mut new, mut notes) = (Vec::new(), Vec::new());
    for (nth, row) in rows.iter().enumerate() {
        let incoming = Incoming::of(row);
        let fate = match known.get(&incoming.source_id) {
            Some(before) => again(tx, tokens, before, &incoming).await?,
            None => match incoming.account(|| new_id(now)) {
                Some(user) => {
                    new.push((
                        nth,
                        UserRow {
                            updated_at: now,
                            ..user
                        },
                    ));
                    // Until it went in.
                    TAKEN
                }
                None => NO_ADDRESS,
            },
        };
        fates.push(fate);
    }
    let accounts: Vec<UserRow> = new.iter().map(|(_, user)| user.clone()).collect();
    let made: HashSet<_> = imported_users::insert_many(tx, &accounts)
        .await?
        .into_iter()
        .collect();
    for (nth, user) in &new {
        if user.id.uuid().is_some_and(|id| made.contains(&id)) {
            fates[*nth] = Fate::Imported;
            notes.extend(Incoming::of(&rows[*nth]).note(user));
        }
    }
    imported_users::note_many(tx, &notes).await?;
    Ok(fates)
}

/// Somebody who was imported before. Whoever was shut out there since loses his sessions here.
async fn again(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    before: &ImportedRow,
    incoming: &Incoming<'_>,
) -> Result<Fate, ServiceError> {
    let (user, note) = match incoming.again(before) {
        Again::Leave(fate) => return Ok(fate),
        Again::Bring(user, note) => (user, note),
    };
    if !imported_users::refresh(tx, before, &user).await? {
        return Ok(MOVED);
    }
    if before.active == Some(true) && !user.active {
        tokens.revoke_all_in(tx, &user.id.to_string()).await?;
    }
    imported_users::note_many(tx, &[note]).await?;
    Ok(Fate::Updated)
}
