//! A Django project's table of users, on PostgreSQL. Passwords stay as Django wrote them; what Gatepost keeps beside
//! it (sessions, generations) goes by the table's own key.

use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::query::{Query, QueryAs};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};

use crate::tx::Raw;
use crate::users::UserRow;
use crate::{Dialect, DjangoTable, Error, Timestamp, Tx, UserId};

/// Its first second: no calendar goes further.
const YEAR_10000: i64 = 253_402_300_800;

#[derive(sqlx::FromRow)]
struct DjangoRow {
    id: String,
    email: String,
    password: String,
    active: bool,
    last_login: Option<Timestamp>,
    date_joined: Option<Timestamp>,
    locale: Option<String>,
    profile: Json<serde_json::Value>,
}

impl DjangoRow {
    fn into_user(self, table: &DjangoTable) -> Option<UserRow> {
        // Where the table doesn't say when, or says "infinity": the beginning of time, as far as this program is concerned.
        let when = |at: Option<Timestamp>| at.filter(|at| (0..YEAR_10000).contains(&at.as_secs()));
        let created_at = when(self.date_joined).unwrap_or_else(|| Timestamp::from_secs(0));
        let last_login = when(self.last_login);
        // Django tells somebody who was never activated from somebody who was shut out only by this.
        let activated = self.active || last_login.is_some();
        let locale = self
            .locale
            .filter(|locale| !locale.is_empty())
            .unwrap_or_else(|| table.columns.default_locale.clone());
        Some(UserRow {
            id: self.id.parse().ok()?,
            email_canonical: self.email.to_lowercase(),
            email: self.email,
            password: self.password,
            active: self.active,
            locale,
            profile: self.profile,
            created_at,
            updated_at: created_at,
            activated_at: activated.then_some(created_at),
            password_changed_at: None,
            last_login_at: last_login,
        })
    }
}

/// `$1` is the key.
macro_rules! keyed {
    ($query:expr, $id:expr) => {
        match $id {
            UserId::Integer(id) => $query.bind(id),
            UserId::Uuid(id) => $query.bind(id),
        }
    };
}

type Select = QueryAs<'static, Postgres, DjangoRow, PgArguments>;
type Change = Query<'static, Postgres, PgArguments>;

fn select(text: &Arc<str>) -> Select {
    sqlx::query_as(AssertSqlSafe(Arc::clone(text)))
}

fn change(text: &Arc<str>) -> Change {
    sqlx::query(AssertSqlSafe(Arc::clone(text)))
}

fn connection<'a>(tx: &'a mut Tx<'_>) -> Result<&'a mut PgConnection, Error> {
    tx.count_statement();
    match tx.raw() {
        Raw::Postgres(conn) => Ok(conn),
        Raw::Sqlite(_) => Err(Error::OtherDatabase {
            store: Dialect::Postgres,
        }),
    }
}

async fn rows(tx: &mut Tx<'_>, table: &DjangoTable, query: Select) -> Result<Vec<UserRow>, Error> {
    let keep = tx.prepares();
    let found = query.persistent(keep).fetch_all(connection(tx)?).await;
    let found = found.map_err(|error| tx.failed(error))?;
    Ok(found.into_iter().filter_map(|row| row.into_user(table)).collect())
}

async fn changed(tx: &mut Tx<'_>, query: Change) -> Result<bool, Error> {
    let keep = tx.prepares();
    let done = query.persistent(keep).execute(connection(tx)?).await;
    let done = done.map_err(|error| tx.failed(error))?.rows_affected();
    tx.count_rows(done);
    Ok(done == 1)
}

pub(crate) async fn get(tx: &mut Tx<'_>, table: &DjangoTable, id: UserId) -> Result<Option<UserRow>, Error> {
    if !table.may_hold(id) {
        return Ok(None);
    }
    Ok(rows(tx, table, keyed!(select(&table.sql.get), id)).await?.pop())
}

pub(crate) async fn by_email(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    email: &str,
) -> Result<Option<UserRow>, Error> {
    let query = select(&table.sql.by_email).bind(email.to_owned());
    let mut found = rows(tx, table, query).await?;
    let exact = found.iter().filter(|user| user.email == email).count();
    if found.len() == 1 || exact == 1 {
        return Ok(Some(found.swap_remove(0)));
    }
    if let [one, other, ..] = found.as_slice() {
        // Whom to let in would be a guess.
        tracing::warn!(%one.id, %other.id, "several users have the same address; none of them can log in by it");
    }
    Ok(None)
}

pub(crate) async fn by_username(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    username: &str,
) -> Result<Option<UserRow>, Error> {
    let query = select(&table.sql.by_username).bind(username.to_owned());
    let mut found = rows(tx, table, query).await?;
    if found.len() == 1 {
        Ok(found.pop())
    } else {
        Ok(None)
    }
}

pub(crate) async fn list(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserRow>, Error> {
    let query = match after {
        Some(after) if table.may_hold(after) => keyed!(select(&table.sql.list), after).bind(limit),
        Some(_) => return Ok(Vec::new()),
        None => select(&table.sql.page).bind(limit),
    };
    rows(tx, table, query).await
}

pub(crate) async fn count(tx: &mut Tx<'_>, table: &DjangoTable) -> Result<i64, Error> {
    let query = sqlx::query_scalar(AssertSqlSafe(Arc::clone(&table.sql.count))).persistent(tx.prepares());
    let count = query.fetch_one(connection(tx)?).await;
    count.map_err(|error| tx.failed(error))
}

pub(crate) async fn note_login(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    id: UserId,
    hash: &str,
    rehashed: Option<&str>,
) -> Result<bool, Error> {
    let now = tx.now();
    let query = keyed!(change(&table.sql.note_login), id)
        .bind(now)
        .bind(rehashed.unwrap_or(hash).to_owned())
        .bind(hash.to_owned());
    Ok(table.may_hold(id) && changed(tx, query).await?)
}

pub(crate) async fn change_password(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    id: UserId,
    old: &str,
    new: &str,
) -> Result<bool, Error> {
    let query = keyed!(change(&table.sql.change_password), id)
        .bind(new.to_owned())
        .bind(old.to_owned());
    Ok(table.may_hold(id) && changed(tx, query).await?)
}

pub(crate) async fn set_password(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    id: UserId,
    new: &str,
) -> Result<bool, Error> {
    let query = keyed!(change(&table.sql.set_password), id).bind(new.to_owned());
    Ok(table.may_hold(id) && changed(tx, query).await?)
}

pub(crate) async fn set_active(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    id: UserId,
    active: bool,
) -> Result<bool, Error> {
    let query = keyed!(change(&table.sql.set_active), id).bind(active);
    Ok(table.may_hold(id) && changed(tx, query).await?)
}

pub(crate) async fn activate(tx: &mut Tx<'_>, table: &DjangoTable, id: UserId) -> Result<bool, Error> {
    let query = keyed!(change(&table.sql.activate), id);
    Ok(table.may_hold(id) && changed(tx, query).await?)
}

pub(crate) async fn update_profile(
    tx: &mut Tx<'_>,
    table: &DjangoTable,
    id: UserId,
    locale: Option<&str>,
    profile: Option<&serde_json::Value>,
) -> Result<bool, Error> {
    let columns = &table.columns;
    if locale.is_some() && columns.locale.is_none() {
        return Err(Error::ElsewhereOnly("the language is changed"));
    }
    let is_held =
        |(name, value): (&String, &serde_json::Value)| value.is_string() && columns.profile.contains(name);
    if !profile.is_none_or(|profile| {
        profile
            .as_object()
            .is_some_and(|fields| fields.iter().all(is_held))
    }) {
        return Err(Error::ElsewhereOnly(
            "what of a profile is in no column of accounts.django.profile is changed",
        ));
    }
    let query = keyed!(change(&table.sql.update_profile), id)
        .bind(locale.map(str::to_owned))
        .bind(profile.cloned().map(Json));
    Ok(table.may_hold(id) && changed(tx, query).await?)
}

/// Passwords from blocks all over a table: the same ones again and again while it does not change.
pub(crate) async fn some_passwords(
    tx: &mut Tx<'_>,
    table: &str,
    column: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    // Of a view no blocks can be taken, and of a table that was never analysed nobody knows how large it is.
    let keep = tx.prepares();
    let size: Result<Option<f64>, _> = sqlx::query_scalar(
        "SELECT CASE WHEN relkind IN ('r', 'p', 'm') THEN reltuples::float8 END FROM pg_class WHERE oid = to_regclass($1)",
    )
    .persistent(keep)
    .bind(table.to_owned())
    .fetch_optional(connection(tx)?)
    .await
    .map(Option::flatten);
    let size = size.map_err(|error| tx.failed(error))?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let part = size
        .filter(|rows| *rows > 2.0 * limit as f64)
        .map(|rows| 100.0 * limit as f64 / rows);
    for part in [part, None].into_iter().skip(usize::from(part.is_none())) {
        let sample = part.map_or(String::new(), |part| {
            format!("TABLESAMPLE SYSTEM ({part}) REPEATABLE (1) ")
        });
        let text = format!("SELECT {column}::text FROM {table} {sample}LIMIT $1");
        let found: Result<Vec<Option<String>>, _> = sqlx::query_scalar(AssertSqlSafe(text))
            .persistent(keep)
            .bind(limit)
            .fetch_all(connection(tx)?)
            .await;
        let found = found.map_err(|error| tx.failed(error))?;
        if !found.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
    }
    Ok(Vec::new())
}
