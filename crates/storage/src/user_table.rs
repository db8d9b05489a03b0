//! Whose table of users is used: ours, or the one that a Django project has already.

use std::sync::Arc;

use crate::UserId;

/// Whose table of users is used.
#[derive(Clone, Debug, Default)]
pub enum UserTable {
    /// Ours.
    #[default]
    Own,
    /// A Django project's, in the same PostgreSQL: read and changed, never inserted into and never deleted from.
    Django(Arc<DjangoTable>),
}

/// What the key of another program's table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// `AutoField`, `BigAutoField`: a whole number.
    Integer,
    /// `UUIDField`.
    Uuid,
}

/// A table of users and its columns, by name. What is `None` does not exist.
#[derive(Clone, Debug)]
pub struct UserColumns {
    /// `auth_user`, or `schema.table`.
    pub table: String,
    /// The primary key.
    pub id: String,
    /// What the primary key is.
    pub id_kind: IdKind,
    /// The address; letters go there.
    pub email: String,
    /// What the project logs in by (`USERNAME_FIELD`).
    pub username: String,
    /// The hash.
    pub password: String,
    /// Whether the account may be used.
    pub is_active: String,
    /// When somebody last logged in; written at every login.
    pub last_login: Option<String>,
    /// When the row was made.
    pub date_joined: Option<String>,
    /// The language of letters.
    pub locale: Option<String>,
    /// Text columns that make up the profile.
    pub profile: Vec<String>,
    /// The language where no column tells one.
    pub default_locale: String,
}

impl UserColumns {
    /// Django's own `auth_user`, with the address as what people log in by.
    pub fn auth_user() -> Self {
        Self {
            table: "auth_user".to_owned(),
            id: "id".to_owned(),
            id_kind: IdKind::Integer,
            email: "email".to_owned(),
            username: "email".to_owned(),
            password: "password".to_owned(),
            is_active: "is_active".to_owned(),
            last_login: Some("last_login".to_owned()),
            date_joined: Some("date_joined".to_owned()),
            locale: None,
            profile: Vec::new(),
            default_locale: "en".to_owned(),
        }
    }
}

/// A name of a table or a column can't be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} can't be the name of a table or a column")]
pub struct BadTable(pub String);

/// Another program's table of users, with every statement that is run on it.
#[derive(Debug)]
pub struct DjangoTable {
    pub(crate) columns: UserColumns,
    pub(crate) sql: Statements,
}

/// Texts, made once: names are quoted and can't leave their quotes.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) table: String,
    pub(crate) password: String,
    pub(crate) get: Arc<str>,
    pub(crate) by_email: Arc<str>,
    pub(crate) by_username: Arc<str>,
    pub(crate) list: Arc<str>,
    pub(crate) count: Arc<str>,
    pub(crate) note_login: Arc<str>,
    pub(crate) change_password: Arc<str>,
    pub(crate) set_password: Arc<str>,
    pub(crate) set_active: Arc<str>,
    pub(crate) activate: Arc<str>,
    pub(crate) update_profile: Arc<str>,
    pub(crate) page: Arc<str>,
    pub(crate) put_back: Arc<str>,
}

impl DjangoTable {
    /// A table of these columns.
    ///
    /// # Errors
    /// [`BadTable`] for a name that PostgreSQL could not have.
    pub fn new(columns: UserColumns) -> Result<Self, BadTable> {
        let sql = Statements::of(&columns)?;
        Ok(Self { columns, sql })
    }

    /// What its key is.
    pub fn id_kind(&self) -> IdKind {
        self.columns.id_kind
    }

    pub(crate) fn table(&self) -> &str {
        &self.sql.table
    }

    pub(crate) fn password(&self) -> &str {
        &self.sql.password
    }

    /// Whether this can be the key of one of its rows.
    pub(crate) fn may_hold(&self, id: UserId) -> bool {
        matches!(
            (self.columns.id_kind, id),
            (IdKind::Integer, UserId::Integer(_)) | (IdKind::Uuid, UserId::Uuid(_))
        )
    }
}

impl Statements {
    fn of(columns: &UserColumns) -> Result<Self, BadTable> {
        let table = columns
            .table
            .split('.')
            .map(quoted)
            .collect::<Result<Vec<_>, _>>()?
            .join(".");
        let (id, email, username) = (
            quoted(&columns.id)?,
            quoted(&columns.email)?,
            quoted(&columns.username)?,
        );
        let (password, active) = (quoted(&columns.password)?, quoted(&columns.is_active)?);
        let optional = |name: &Option<String>| name.as_deref().map(quoted).transpose();
        let (login, joined, locale) = (
            optional(&columns.last_login)?,
            optional(&columns.date_joined)?,
            optional(&columns.locale)?,
        );
        let or_null = |name: &Option<String>, kind: &str| {
            name.clone().unwrap_or_else(|| "NULL".to_owned()) + "::" + kind
        };
        let mut profile = Vec::new();
        let mut changes: Vec<String> = locale
            .iter()
            .map(|locale| format!("{locale} = coalesce($2, {locale})"))
            .collect();
        for name in &columns.profile {
            let column = quoted(name)?;
            profile.push(format!("'{}', {column}", name.replace('\'', "''")));
            changes.push(format!(
                "{column} = coalesce($3 ->> '{}', {column})",
                name.replace('\'', "''")
            ));
        }
        if changes.is_empty() {
            changes.push(format!("{active} = {active}"));
        }
        // Whatever orders by a column names its table: `id` alone would be the text in the list, and 10 stand before 9.
        let select = format!(
            "SELECT {id}::text AS id, coalesce({email}::text, '') AS email, coalesce({password}::text, '!') AS password,
                 coalesce({active}, false) AS active,
                 {} AS last_login, {} AS date_joined, {} AS locale, jsonb_build_object({}) AS profile FROM {table} AS t",
            or_null(&login, "timestamptz"),
            or_null(&joined, "timestamptz"),
            or_null(&locale, "text"),
            profile.join(", "),
        );
        let never_logged_in = login
            .as_ref()
            .map(|login| format!(" AND {login} IS NULL"))
            .unwrap_or_default();
        let note = login.map(|login| format!("{login} = $2, ")).unwrap_or_default();
        // A parameter that no text mentions has no type: the hour is looked at in any case.
        let note_guard = "AND $2::timestamptz IS NOT NULL";
        Ok(Self {
            get: format!("{select} WHERE {id} = $1").into(),
            // As Django's own `iexact`, whose index helps here too.
            by_email: format!("{select} WHERE upper({email}::text) = upper($1) ORDER BY (t.{email} = $1) DESC, t.{id} LIMIT 2")
                .into(),
            by_username: format!("{select} WHERE {username} = $1 LIMIT 2").into(),
            list: format!("{select} WHERE {id} > $1 ORDER BY t.{id} LIMIT $2").into(),
            page: format!("{select} ORDER BY t.{id} LIMIT $1").into(),
            put_back: format!(
                "UPDATE {table} SET {password} = $2, {active} = $3 WHERE {id} = $1 AND {password} = $4"
            )
            .into(),
            count: format!("SELECT count(*) FROM {table}").into(),
            note_login: format!(
                "UPDATE {table} SET {note}{password} = $3 WHERE {id} = $1 AND {active} AND {password} = $4 {note_guard}"
            )
            .into(),
            change_password: format!(
                "UPDATE {table} SET {password} = $2 WHERE {id} = $1 AND {active} AND {password} = $3"
            )
            .into(),
            set_password: format!("UPDATE {table} SET {password} = $2 WHERE {id} = $1").into(),
            set_active: format!("UPDATE {table} SET {active} = $2 WHERE {id} = $1 AND {active} <> $2").into(),
            activate: format!("UPDATE {table} SET {active} = true WHERE {id} = $1 AND NOT {active}{never_logged_in}").into(),
            update_profile: format!(
                "UPDATE {table} SET {} WHERE {id} = $1 AND ($2::text IS NOT NULL OR $3::jsonb IS NOT NULL OR true)",
                changes.join(", ")
            )
            .into(),
            table,
            password,
        })
    }
}

/// The name in quotes. PostgreSQL cuts what is longer than 63 bytes, so that it would mean something else.
fn quoted(name: &str) -> Result<String, BadTable> {
    if name.is_empty() || name.len() > 63 || name.contains('\0') {
        return Err(BadTable(name.to_owned()));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_quotes() {
        let columns = UserColumns {
            table: "public.Weird\"; DROP TABLE x".to_owned(),
            profile: vec!["it's".to_owned()],
            ..UserColumns::auth_user()
        };
        let table = DjangoTable::new(columns).unwrap();
        assert_eq!(table.table(), "\"public\".\"Weird\"\"; DROP TABLE x\"");
        assert!(table.sql.get.contains("'it''s', \"it's\""), "{}", table.sql.get);
        for bad in ["", "a..b", &"x".repeat(64)] {
            let columns = UserColumns {
                table: bad.to_owned(),
                ..UserColumns::auth_user()
            };
            assert!(DjangoTable::new(columns).is_err(), "{bad}");
        }
    }
}
