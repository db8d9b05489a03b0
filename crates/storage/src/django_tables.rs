//! The tables of simplejwt's blacklist app in a database that is shared with a live Django: found, checked, and never
//! changed in their shape. Without them, and on SQLite, tables of our own in the same shape take their place.

use crate::sql::{DjangoNames, DjangoUsers, UserKey};
use crate::{Dialect, Error, Store, Tx};

/// Why Django's tables can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DjangoTablesError {
    /// One is not there.
    #[error(
        "there is no table {schema}.{table}: put rest_framework_simplejwt.token_blacklist into Django's INSTALLED_APPS \
         and run its `migrate`, name the schema that they are in (simplejwt.schema), or set that to \"\" for tables of \
         Gatepost's own, which no Django sees"
    )]
    Missing {
        /// Where it was looked for.
        schema: String,
        /// Which.
        table: &'static str,
    },
    /// One lacks a column: of a version that is too old, or not simplejwt's at all.
    #[error("{schema}.{table} has no column {column}: run the migrations of simplejwt 4.0 or later")]
    Column {
        /// Where it is.
        schema: String,
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// Ids of a type that is not known here.
    #[error("{column} is of the type {found}, which is no user's id here")]
    UserKey {
        /// The schema, the table and the column.
        column: String,
        /// What was found.
        found: String,
    },
    /// Tokens are to name users by a column that is not there.
    #[error(
        "simplejwt.user_id_field: the table that {schema}.token_blacklist_outstandingtoken.user_id refers to has no \
         column {column}"
    )]
    NamedBy {
        /// Where simplejwt's tables are.
        schema: String,
        /// What was looked for.
        column: String,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] Error),
}

const TABLES: [(&str, &[&str]); 2] = [
    (
        "token_blacklist_outstandingtoken",
        &["id", "jti", "token", "created_at", "expires_at", "user_id"],
    ),
    (
        "token_blacklist_blacklistedtoken",
        &["id", "blacklisted_at", "token_id"],
    ),
];

impl Store {
    /// Takes the blacklist tables of the Django that owns `schema` instead of our own. On SQLite, which no Django
    /// shares with us, and with an empty name our own stay in use. `named_by`: the column of the project's users that
    /// tokens name them by, if it is another than the primary key (simplejwt's `USER_ID_FIELD`).
    ///
    /// # Errors
    /// [`DjangoTablesError`] if they are not there or not as simplejwt makes them.
    pub async fn share_django_tables(
        &self,
        schema: &str,
        named_by: Option<&str>,
    ) -> Result<(), DjangoTablesError> {
        if self.dialect() == Dialect::Sqlite || schema.is_empty() || self.shared().names.has_django() {
            return Ok(());
        }
        let (schema, named_by) = (schema.to_owned(), named_by.map(str::to_owned));
        let names = self
            .read("find_django_tables", |tx| {
                Box::pin(async move { find(tx, &schema, named_by).await })
            })
            .await?;
        self.shared().names.set_django(names);
        Ok(())
    }
}

async fn find(
    tx: &mut Tx<'_>,
    schema: &str,
    named_by: Option<String>,
) -> Result<DjangoNames, DjangoTablesError> {
    let mut user_type = String::new();
    for (table, wanted) in TABLES {
        let columns: Vec<(String, String)> = fetch_all!(
            tx,
            (String, String),
            "SELECT column_name::text, udt_name::text FROM information_schema.columns
             WHERE table_schema = $1 AND table_name = $2",
            schema,
            table
        )?;
        if columns.is_empty() {
            let schema = schema.to_owned();
            return Err(DjangoTablesError::Missing { schema, table });
        }
        for &column in wanted {
            let Some((_, kind)) = columns.iter().find(|(name, _)| name == column) else {
                let schema = schema.to_owned();
                return Err(DjangoTablesError::Column {
                    schema,
                    table,
                    column,
                });
            };
            if column == "user_id" {
                user_type.clone_from(kind);
            }
        }
    }
    let users: Option<(String, String, String)> = fetch_optional!(
        tx,
        (String, String, String),
        "SELECT n.nspname::text, t.relname::text, f.attname::text
         FROM pg_constraint AS c
         JOIN pg_class AS o ON o.oid = c.conrelid AND o.relname = 'token_blacklist_outstandingtoken'
         JOIN pg_namespace AS s ON s.oid = o.relnamespace AND s.nspname = $1
         JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] AND a.attname = 'user_id'
         JOIN pg_class AS t ON t.oid = c.confrelid
         JOIN pg_namespace AS n ON n.oid = t.relnamespace
         JOIN pg_attribute AS f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
         WHERE c.contype = 'f' LIMIT 1",
        schema
    )?;
    let mut users = users.map(|(schema, table, column)| DjangoUsers {
        schema,
        table,
        named_by: column.clone(),
        column,
    });
    let mut column = format!("{schema}.token_blacklist_outstandingtoken.user_id");
    if let Some(named_by) = named_by {
        let missing = || DjangoTablesError::NamedBy {
            schema: schema.to_owned(),
            column: named_by.clone(),
        };
        let users = users.as_mut().ok_or_else(missing)?;
        let kind: Option<(String,)> = fetch_optional!(
            tx,
            (String,),
            "SELECT udt_name::text FROM information_schema.columns
             WHERE table_schema = $1 AND table_name = $2 AND column_name = $3",
            &users.schema,
            &users.table,
            &named_by
        )?;
        (user_type,) = kind.ok_or_else(missing)?;
        column = format!("{}.{}.{named_by}", users.schema, users.table);
        users.named_by = named_by;
    }
    let key = match user_type.as_str() {
        "int2" | "int4" | "int8" => UserKey::Integer,
        "uuid" => UserKey::Uuid,
        "text" | "varchar" | "bpchar" | "citext" => UserKey::Text,
        _ => {
            let found = user_type;
            return Err(DjangoTablesError::UserKey { column, found });
        }
    };
    Ok(DjangoNames {
        schema: schema.to_owned(),
        key,
        users,
    })
}

impl Tx<'_> {
    /// Whether the text can be what a token names a user by in the table that the tokens' owners are in.
    pub(crate) fn is_user_key(&self, user: &str) -> bool {
        match self.shared().names.django().map(|names| names.key) {
            None | Some(UserKey::Text) => true,
            Some(UserKey::Integer) => user.parse::<i64>().is_ok(),
            Some(UserKey::Uuid) => user.parse::<uuid::Uuid>().is_ok(),
        }
    }

    /// Whether the blacklist tables are a Django's.
    pub(crate) fn shares_django_tables(&self) -> bool {
        self.shared().names.has_django()
    }
}
