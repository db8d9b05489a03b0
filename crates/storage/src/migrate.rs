//! Bringing a database up to date: files in sets, applied once, in order, under a lock.
//!
//! The history stands in a table of our own, since the database is shared with programs that keep theirs
//! in the usual places. A release works on its own schema and on the next one's, so that a rolling restart
//! never meets a schema that is too new: a newer migration that it does not know is ignored, unless that
//! migration is marked as breaking (first line `-- breaking`), which is refused by name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use crate::tx::Raw;
use crate::{Dialect, Error, MigrationError, Store, Tx};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/migrations");

/// A group of tables that is used together. Who uses mail gets no users table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    /// Blacklist, generations, sessions, the log of revocations.
    Tokens,
    /// The outbox, handled ids, dead letters.
    Messaging,
    /// Deliveries and what belongs to them.
    Mail,
    /// Users, registrations, keys and settings of the server.
    Server,
}

impl Set {
    /// All of them, in the order in which they are applied.
    pub const ALL: [Set; 4] = [Set::Tokens, Set::Messaging, Set::Mail, Set::Server];

    /// The folder's and the history's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Set::Tokens => "tokens",
            Set::Messaging => "messaging",
            Set::Mail => "mail",
            Set::Server => "server",
        }
    }
}

/// A migration and how it stands with this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The set's name.
    pub set: String,
    /// `0001_name`.
    pub name: String,
    /// How it stands.
    pub state: MigrationState,
}

/// How a migration stands with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// It has been applied.
    Applied,
    /// It is part of this release and has not been applied.
    Pending,
    /// A newer release has applied it; this one works beside it.
    Newer,
}

#[derive(sqlx::FromRow)]
struct HistoryRow {
    set_name: String,
    name: String,
    checksum: String,
    breaking: bool,
}

struct File {
    name: String,
    text: &'static str,
}

impl File {
    fn checksum(&self) -> String {
        Sha256::digest(self.text.as_bytes())
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                // Writing to a String can't fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    fn is_breaking(&self) -> bool {
        self.text
            .lines()
            .next()
            .is_some_and(|line| line.trim() == "-- breaking")
    }
}

/// How often a migration is tried in all that misses a role, or that others keep from the file for too long. Roles belong to all databases of a server, so the lock of one
/// schema does not keep others from making the same one: whoever came second waits until it is there, is told so, and
/// may still not find it in the same transaction.
const TRIES: u32 = 3;

impl Store {
    /// Applies what is missing of `sets`; what was applied. Safe to call from several instances at once.
    ///
    /// # Errors
    /// [`Error::Migration`] if the database is not one that this release works with.
    pub async fn migrate(&self, sets: &[Set]) -> Result<Vec<Migration>, Error> {
        let mut tries = 1..TRIES;
        let applied = loop {
            let wanted = sets.to_vec();
            let applied = self
                .run_tx("migrate", move |tx| {
                    let sets = wanted.clone();
                    Box::pin(async move { apply(tx, &sets).await })
                })
                .await;
            match applied {
                Err(error) if error.may_pass() && tries.next().is_some() => {}
                applied => break applied?,
            }
        };
        self.follow_database_clock().await?;
        Ok(applied)
    }

    /// How every migration of `sets` stands, in order.
    ///
    /// # Errors
    /// [`Error::Migration`] if the database is not one that this release works with.
    pub async fn migration_status(&self, sets: &[Set]) -> Result<Vec<Migration>, Error> {
        let sets = sets.to_vec();
        self.read("migration_status", move |tx| {
            Box::pin(async move {
                let history = if has_history(tx).await? {
                    history(tx).await?
                } else {
                    Vec::new()
                };
                compare(tx.dialect(), &sets, &history)
            })
        })
        .await
    }

    /// Whether nothing of ours is in the database yet.
    ///
    /// # Errors
    /// As of any statement.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        self.read("is_empty", |tx| {
            Box::pin(async move { Ok(!has_history(tx).await?) })
        })
        .await
    }
}

async fn apply(tx: &mut Tx<'_>, sets: &[Set]) -> Result<Vec<Migration>, Error> {
    if tx.dialect() == Dialect::Postgres {
        // Instances that start together come one after another. SQLite's one writer needs no lock.
        let schema = tx.shared().names.schema().to_owned();
        execute!(
            tx,
            "SELECT pg_advisory_xact_lock(hashtext('gatepost migrate ' || $1))",
            schema
        )?;
        run_script(tx, "CREATE SCHEMA IF NOT EXISTS {schema}").await?;
    }
    if !has_history(tx).await? {
        run_script(tx, history_table(tx.dialect())).await?;
    }
    let known = history(tx).await?;
    let status = compare(tx.dialect(), sets, &known)?;
    let mut applied = Vec::new();
    for set in sets {
        for file in files(tx.dialect(), *set) {
            let pending = status
                .iter()
                .any(|m| m.set == set.name() && m.name == file.name && m.state == MigrationState::Pending);
            if !pending {
                continue;
            }
            run_script(tx, file.text).await?;
            let now = tx.now();
            execute!(
                tx,
                "INSERT INTO {migrations} (set_name, name, checksum, breaking, applied_at) VALUES ($1, $2, $3, $4, $5)",
                set.name(),
                &file.name,
                file.checksum(),
                file.is_breaking(),
                now
            )?;
            applied.push(Migration {
                set: set.name().into(),
                name: file.name,
                state: MigrationState::Applied,
            });
        }
    }
    Ok(applied)
}

fn history_table(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "CREATE TABLE {migrations} (set_name TEXT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL, \
             breaking INTEGER NOT NULL, applied_at INTEGER NOT NULL, PRIMARY KEY (set_name, name)) STRICT"
        }
        Dialect::Postgres => {
            "CREATE TABLE {migrations} (set_name text NOT NULL, name text NOT NULL, checksum text NOT NULL, \
             breaking boolean NOT NULL, applied_at timestamptz NOT NULL, PRIMARY KEY (set_name, name))"
        }
    }
}

async fn has_history(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let schema = tx.shared().names.schema().to_owned();
    let (found,): (i64,) = fetch_one!(
        tx,
        (i64,),
        sql! {
            sqlite: "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1 || '_migrations'",
            postgres: "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = 'migrations'"
        },
        schema
    )?;
    Ok(found > 0)
}

async fn history(tx: &mut Tx<'_>) -> Result<Vec<HistoryRow>, Error> {
    fetch_all!(
        tx,
        HistoryRow,
        "SELECT set_name, name, checksum, breaking FROM {migrations} ORDER BY set_name, name"
    )
}

fn compare(dialect: Dialect, sets: &[Set], history: &[HistoryRow]) -> Result<Vec<Migration>, Error> {
    let mut all: BTreeMap<(&str, String), MigrationState> = BTreeMap::new();
    for set in sets {
        for file in files(dialect, *set) {
            let row = history
                .iter()
                .find(|row| row.set_name == set.name() && row.name == file.name);
            let state = match row {
                Some(row) if row.checksum != file.checksum() => {
                    return Err(MigrationError::Changed(format!("{}/{}", set.name(), file.name)).into());
                }
                Some(_) => MigrationState::Applied,
                None => MigrationState::Pending,
            };
            all.insert((set.name(), file.name), state);
        }
        for row in history.iter().filter(|row| row.set_name == set.name()) {
            if all.contains_key(&(set.name(), row.name.clone())) {
                continue;
            }
            if row.breaking {
                return Err(MigrationError::Newer(format!("{}/{}", row.set_name, row.name)).into());
            }
            all.insert((set.name(), row.name.clone()), MigrationState::Newer);
        }
    }
    let order = |set: &str| sets.iter().position(|s| s.name() == set);
    let mut list: Vec<Migration> = all
        .into_iter()
        .map(|((set, name), state)| Migration {
            set: set.into(),
            name,
            state,
        })
        .collect();
    list.sort_by_key(|m| (order(&m.set), m.name.clone()));
    Ok(list)
}

fn files(dialect: Dialect, set: Set) -> Vec<File> {
    let folder = match dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgres",
    };
    let mut files: Vec<File> = FILES
        .get_dir(format!("{folder}/{}", set.name()))
        .into_iter()
        .flat_map(Dir::files)
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?.to_owned();
            Some(File {
                name,
                text: file.contents_utf8()?,
            })
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

async fn run_script(tx: &mut Tx<'_>, text: &str) -> Result<(), Error> {
    let script = sqlx::AssertSqlSafe(tx.shared().names.expand(text));
    match tx.raw() {
        Raw::Sqlite(conn) => sqlx::raw_sql(script).execute(&mut **conn).await.map(|_| ())?,
        Raw::Postgres(conn) => sqlx::raw_sql(script).execute(&mut **conn).await.map(|_| ())?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_migrations() {
        for set in Set::ALL {
            let names = |dialect| {
                files(dialect, set)
                    .into_iter()
                    .map(|f| f.name)
                    .collect::<Vec<_>>()
            };
            assert_eq!(names(Dialect::Sqlite), names(Dialect::Postgres), "{}", set.name());
        }
    }

    #[test]
    fn a_breaking_migration_of_a_newer_release_is_refused_by_name_and_a_mild_one_is_not() {
        let row = |breaking| HistoryRow {
            set_name: "tokens".into(),
            name: "9999_later".into(),
            checksum: String::new(),
            breaking,
        };
        let refused = compare(Dialect::Sqlite, &[Set::Tokens], &[row(true)]);
        assert!(
            matches!(refused, Err(Error::Migration(MigrationError::Newer(name))) if name == "tokens/9999_later")
        );
        let mild = compare(Dialect::Sqlite, &[Set::Tokens], &[row(false)]).expect("works beside it");
        assert!(mild.iter().any(|m| m.state == MigrationState::Newer));
    }
}
