//! One text of SQL for two databases: table names by placeholder, cached once expanded.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Which database a store is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, one file on this machine.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
        })
    }
}

/// A statement as written: the same for both databases, or one for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Self {
        Self {
            sqlite: both,
            postgres: both,
        }
    }
}

/// Where the tables of simplejwt's blacklist app are, if they are a Django's.
#[derive(Debug)]
pub(crate) struct DjangoNames {
    pub(crate) schema: String,
    /// What kind of value tokens name a user by.
    pub(crate) key: UserKey,
    /// What `user_id` refers to; none without a foreign key.
    pub(crate) users: Option<DjangoUsers>,
}

/// The table of users that the tokens' rows refer to.
#[derive(Debug)]
pub(crate) struct DjangoUsers {
    pub(crate) schema: String,
    pub(crate) table: String,
    /// The column that is referred to: the primary key.
    pub(crate) column: String,
    /// The column that tokens name a user by, mostly the same.
    pub(crate) named_by: String,
}

/// What kind of value a token names a user by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserKey {
    Integer,
    Uuid,
    Text,
}

/// Expands `{table}` for one dialect and schema.
#[derive(Debug)]
pub(crate) struct Names {
    dialect: Dialect,
    schema: String,
    django: OnceLock<DjangoNames>,
    expanded: RwLock<HashMap<(usize, usize), Arc<str>>>,
}

impl Names {
    pub(crate) fn new(dialect: Dialect, schema: &str) -> Self {
        Self {
            dialect,
            schema: schema.to_owned(),
            django: OnceLock::new(),
            expanded: RwLock::default(),
        }
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn has_django(&self) -> bool {
        self.django.get().is_some()
    }

    pub(crate) fn django(&self) -> Option<&DjangoNames> {
        self.django.get()
    }

    /// From here on the blacklist tables are Django's. What was expanded before named others.
    pub(crate) fn set_django(&self, names: DjangoNames) {
        if self.django.set(names).is_ok() {
            self.expanded
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
    }

    /// The expanded text. Cached under the literal's address, which a `'static` never gives up.
    pub(crate) fn expand_static(&self, sql: Sql) -> Arc<str> {
        let text = match self.dialect {
            Dialect::Sqlite => sql.sqlite,
            Dialect::Postgres => sql.postgres,
        };
        let key = (text.as_ptr() as usize, text.len());
        if let Some(found) = self
            .expanded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Arc::clone(found);
        }
        let made: Arc<str> = self.expand(text).into();
        let mut cache = self.expanded.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cache.entry(key).or_insert(made))
    }

    /// Replaces `{name}`: a table in the schema (a prefix on SQLite); `{ix_name}`: an index or constraint,
    /// which PostgreSQL keeps beside its table and SQLite in one room for all; `{schema}`: the schema's name.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            let after = &rest[open + 1..];
            let name_len = after
                .bytes()
                .take_while(|b| b.is_ascii_lowercase() || *b == b'_' || b.is_ascii_digit())
                .count();
            if name_len > 0 && after.as_bytes().get(name_len) == Some(&b'}') {
                self.push_name(&mut out, &after[..name_len]);
                rest = &after[name_len + 1..];
            } else {
                out.push('{');
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    fn push_name(&self, out: &mut String, name: &str) {
        let schema = self.schema.as_str();
        match (self.dialect, name) {
            (_, "outstanding_key") => out.push_str(&self.user(false)),
            (_, "outstanding_user") => out.push_str(&self.user(true)),
            (Dialect::Postgres, "outstanding_tokens" | "blacklisted_tokens") if self.has_django() => {
                let schema = self.django().map_or(schema, |names| names.schema.as_str());
                let table = if name == "outstanding_tokens" {
                    "token_blacklist_outstandingtoken"
                } else {
                    "token_blacklist_blacklistedtoken"
                };
                out.extend([quoted(schema).as_str(), ".\"", table, "\""]);
            }
            (Dialect::Postgres, "schema") => out.extend(["\"", schema, "\""]),
            (Dialect::Postgres, _) if name.starts_with("ix_") => out.push_str(name),
            (Dialect::Postgres, _) => out.extend(["\"", schema, "\".\"", name, "\""]),
            (Dialect::Sqlite, "schema") => out.push_str(schema),
            (Dialect::Sqlite, _) => out.extend([schema, "_", name]),
        }
    }
}

impl Names {
    /// The first parameter, a text that a token names its owner by, as a key of the table that owners are in; with
    /// `existing` the key only if there is such a row, since the constraint of Django's tables is looked at only when
    /// it is too late.
    fn user(&self, existing: bool) -> String {
        let Some(names) = self.django() else {
            return "$1".to_owned();
        };
        let key = match names.key {
            UserKey::Integer => "CAST($1::text AS bigint)",
            UserKey::Uuid => "CAST($1::text AS uuid)",
            UserKey::Text => "$1::text",
        };
        match &names.users {
            Some(users) if existing || users.named_by != users.column => {
                let [schema, table, column, named_by] =
                    [&users.schema, &users.table, &users.column, &users.named_by].map(|name| quoted(name));
                format!("(SELECT u.{column} FROM {schema}.{table} AS u WHERE u.{named_by} = {key})")
            }
            _ => key.to_owned(),
        }
    }
}

/// A name of somebody else's making as SQL takes it.
fn quoted(name: &str) -> String {
    ["\"", &name.replace('"', "\"\""), "\""].concat()
}

/// A schema's name goes into SQL as it is, so only plain names are taken.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 40
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_in_the_schema_or_carries_it_as_a_prefix() {
        let text = "SELECT '{}', '{\"a\":1}' FROM {users} -- {ix_users_email}";
        assert_eq!(
            Names::new(Dialect::Postgres, "gate").expand(text),
            "SELECT '{}', '{\"a\":1}' FROM \"gate\".\"users\" -- ix_users_email"
        );
        assert_eq!(
            Names::new(Dialect::Sqlite, "gate").expand(text),
            "SELECT '{}', '{\"a\":1}' FROM gate_users -- gate_ix_users_email"
        );
    }

    #[test]
    fn names_that_could_leave_their_quotes_are_refused() {
        for bad in ["", "a\"b", "A", "1a", "a b", "a;b"] {
            assert!(!is_plain_name(bad), "{bad:?}");
        }
        assert!(is_plain_name("gatepost_2"));
    }
}
