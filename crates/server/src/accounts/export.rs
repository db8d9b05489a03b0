//! Our accounts go back to a Django project: what was changed here since they came, and who is new.

use std::collections::{BTreeMap, HashMap};

use gatepost_storage::imported_users::{self, ImportedRow};
use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{Error, Store, UserId, django_export};
use serde::Serialize;

use super::import::digest;

/// Rows at a time.
const BATCH: i64 = 200;

/// What became of our accounts.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Counts {
    /// Accounts that were read.
    pub read: u64,
    /// Rows that were made there.
    pub added: u64,
    /// Rows whose password or state was changed there.
    pub updated: u64,
    /// Rows that said the same already.
    pub unchanged: u64,
    /// Accounts that were left alone, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// How many accounts were left alone.
    pub fn all_skipped(&self) -> u64 {
        self.skipped.values().sum()
    }
}

enum Fate {
    Added,
    Updated,
    Unchanged,
    Skipped(&'static str),
}

/// What is to be done with one account.
enum Plan {
    Add,
    Change { id: UserId, old: String },
    Nothing(Fate),
}

/// An export under way. Each account is a transaction there: what is interrupted can be done again.
#[derive(Debug)]
pub struct Export {
    here: Store,
    there: Store,
    dry: bool,
    after: Option<UserId>,
    counts: Counts,
}

impl Export {
    /// From our own table into that of `there`, a store whose users are another program's. A `dry` run writes nothing.
    pub fn new(here: Store, there: Store, dry: bool) -> Self {
        Self {
            here,
            there,
            dry,
            after: None,
            counts: Counts::default(),
        }
    }

    /// What was done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Some more accounts; `false` if there are none.
    pub async fn step(&mut self) -> Result<bool, Error> {
        let after = self.after;
        let (rows, known) = self
            .here
            .read("read_accounts", move |tx| {
                Box::pin(async move {
                    let rows = users::list(tx, after, BATCH).await?;
                    let ids: Vec<UserId> = rows.iter().map(|row| row.id).collect();
                    let known = imported_users::of_users(tx, &ids).await?;
                    Ok::<_, Error>((rows, known))
                })
            })
            .await?;
        let known: HashMap<UserId, ImportedRow> = known
            .into_iter()
            .filter_map(|row| Some((UserId::from(row.user_id?), row)))
            .collect();
        for row in &rows {
            let fate = self.one(row, known.get(&row.id)).await?;
            self.counts.read += 1;
            match fate {
                Fate::Added => self.counts.added += 1,
                Fate::Updated => self.counts.updated += 1,
                Fate::Unchanged => self.counts.unchanged += 1,
                Fate::Skipped(why) => *self.counts.skipped.entry(why).or_default() += 1,
            }
        }
        self.after = rows.last().map(|row| row.id);
        Ok(self.after.is_some())
    }

    async fn one(&self, user: &UserRow, known: Option<&ImportedRow>) -> Result<Fate, Error> {
        let plan = self.plan(user, known).await?;
        if self.dry {
            return Ok(match plan {
                Plan::Add => Fate::Added,
                Plan::Change { .. } => Fate::Updated,
                Plan::Nothing(fate) => fate,
            });
        }
        let row = std::sync::Arc::new(user.clone());
        match plan {
            Plan::Nothing(fate) => Ok(fate),
            Plan::Add => {
                let made = self.there.run_tx("add_user_there", move |tx| {
                    let row = row.clone();
                    Box::pin(async move { django_export::add(tx, &row).await })
                });
                self.note(made.await?, user).await?;
                Ok(Fate::Added)
            }
            Plan::Change { id, old } => {
                let won = self.there.run_tx("change_user_there", move |tx| {
                    let (row, old) = (row.clone(), old.clone());
                    Box::pin(
                        async move { django_export::put_back(tx, id, &old, &row.password, row.active).await },
                    )
                });
                if !won.await? {
                    return Ok(Fate::Skipped("changed there at the same moment; do it again"));
                }
                self.note(id, user).await?;
                Ok(Fate::Updated)
            }
        }
    }

    /// Remembers that both sides now have the same password.
    async fn note(&self, id: UserId, user: &UserRow) -> Result<(), Error> {
        let (user_id, digest) = (user.id, digest(&user.password));
        self.here
            .run_tx("note_export", move |tx| {
                let digest = digest.clone();
                Box::pin(async move { imported_users::note(tx, &id.to_string(), user_id, &digest).await })
            })
            .await
    }

    async fn plan(&self, user: &UserRow, known: Option<&ImportedRow>) -> Result<Plan, Error> {
        let id = known.and_then(|known| known.source_id.parse::<UserId>().ok());
        let canonical = user.email_canonical.clone();
        let there = self
            .there
            .read("look_there", move |tx| {
                let canonical = canonical.clone();
                Box::pin(async move {
                    match id {
                        Some(id) => users::get(tx, id).await,
                        None => users::by_email(tx, &canonical).await,
                    }
                })
            })
            .await?;
        let nothing = |fate| Ok(Plan::Nothing(fate));
        let (known, there) = match (known, there) {
            (None, None) => return Ok(Plan::Add),
            (Some(_), None) => return nothing(Fate::Skipped("deleted there since")),
            // An earlier run was interrupted between the two databases.
            (None, Some(there)) if there.password == user.password => {
                if !self.dry {
                    self.note(there.id, user).await?;
                }
                return nothing(Fate::Unchanged);
            }
            (None, Some(_)) => return nothing(Fate::Skipped("another user has the address there")),
            (Some(known), Some(there)) => (known, there),
        };
        if there.password == user.password && there.active == user.active {
            return nothing(Fate::Unchanged);
        }
        let is_as_it_was =
            there.password == user.password || digest(&there.password) == known.password_digest;
        match (is_as_it_was, user.password_changed_at) {
            (true, _) => Ok(Plan::Change {
                id: there.id,
                old: there.password,
            }),
            (false, None) => nothing(Fate::Unchanged),
            (false, Some(_)) => nothing(Fate::Skipped(
                "password changed on both sides since; left as it is there",
            )),
        }
    }
}
