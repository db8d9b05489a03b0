//! The way back into another program's table: the one place that may insert there, when somebody asks for just that.

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Postgres};

use crate::tx::Raw;
use crate::users::UserRow;
use crate::{Dialect, DjangoTable, Error, IdKind, Tx, UserId};

fn table(tx: &Tx<'_>) -> Result<std::sync::Arc<DjangoTable>, Error> {
    tx.users().ok_or(Error::OtherDatabase {
        store: Dialect::Postgres,
    })
}

/// Puts password and state of an account into its row, if the row's password is still `old`; whether it was.
pub async fn put_back(
    tx: &mut Tx<'_>,
    id: UserId,
    old: &str,
    new: &str,
    active: bool,
) -> Result<bool, Error> {
    let table = table(tx)?;
    let text = table.sql.put_back.clone();
    let query = sqlx::query::<Postgres>(AssertSqlSafe(text)).persistent(tx.prepares());
    let query = match id {
        UserId::Integer(id) => query.bind(id),
        UserId::Uuid(id) => query.bind(id),
    };
    let query = query.bind(new.to_owned()).bind(active).bind(old.to_owned());
    tx.count_statement();
    let Raw::Postgres(conn) = tx.raw() else {
        return Err(Error::OtherDatabase {
            store: Dialect::Postgres,
        });
    };
    let done = query.execute(&mut **conn).await;
    let rows = done.map_err(|error| tx.failed(error))?.rows_affected();
    Ok(table.may_hold(id) && rows == 1)
}

/// What must be said of a new row that nobody has said: a column and its type.
async fn unsaid(tx: &mut Tx<'_>, table: &DjangoTable) -> Result<Vec<(String, String)>, Error> {
    let keep = tx.prepares();
    let Raw::Postgres(conn) = tx.raw() else {
        return Err(Error::OtherDatabase {
            store: Dialect::Postgres,
        });
    };
    let rows = sqlx::query_as::<Postgres, (String, String)>(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
               AND attidentity = ''",
    )
    .persistent(keep)
    .bind(table.table().to_owned())
    .fetch_all(&mut **conn)
    .await;
    rows.map_err(|error| tx.failed(error))
}

/// Makes a row for an account that was made here; its key. Columns that must not be empty and that nobody knows
/// get what stands for nothing: `''`, `false`, 0, now.
///
/// # Errors
/// [`Error::ForeignColumn`] for a column of another type.
pub async fn add(tx: &mut Tx<'_>, user: &UserRow) -> Result<UserId, Error> {
    let table = table(tx)?;
    let columns = &table.columns;
    let (email, now) = (user.email.clone(), tx.now());
    // Each with its value: a parameter, or a text of SQL.
    let mut values: Vec<(String, String)> = vec![
        (columns.email.clone(), "$1".to_owned()),
        (columns.password.clone(), "$2".to_owned()),
        (columns.is_active.clone(), "$3".to_owned()),
    ];
    if columns.username != columns.email {
        values.push((columns.username.clone(), "$1".to_owned()));
    }
    let mut optional = |column: &Option<String>, value: &str| {
        if let Some(column) = column {
            values.push((column.clone(), value.to_owned()));
        }
    };
    optional(&columns.last_login, "$4");
    optional(&columns.date_joined, "$5");
    optional(&columns.locale, "$6");
    for column in &columns.profile {
        values.push((
            column.clone(),
            format!("coalesce($7::jsonb ->> '{}', '')", column.replace('\'', "''")),
        ));
    }
    if columns.id_kind == IdKind::Uuid {
        values.push((columns.id.clone(), "$8".to_owned()));
    }
    for (column, kind) in unsaid(tx, &table).await? {
        if column == columns.id || values.iter().any(|(known, _)| *known == column) {
            continue;
        }
        let nothing = match kind.as_str() {
            "character varying" | "text" | "character" => "''",
            "boolean" => "false",
            "smallint" | "integer" | "bigint" | "numeric" | "double precision" | "real" => "0",
            "timestamp with time zone" | "timestamp without time zone" | "date" => "$9",
            "jsonb" | "json" => "'{}'",
            kind if kind.ends_with("[]") => "'{}'",
            _ => return Err(Error::ForeignColumn { column, kind }),
        };
        values.push((column, nothing.to_owned()));
    }
    let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
    let names: Vec<String> = values.iter().map(|(name, _)| quoted(name)).collect();
    let texts: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    // Every parameter is mentioned, or it would have no type.
    let text = format!(
        "WITH given AS (SELECT $1::text, $2::text, $3::boolean, $4::timestamptz, $5::timestamptz, $6::text, $7::jsonb,
             $8::uuid, $9::timestamptz)
         INSERT INTO {} ({}) SELECT {} FROM given RETURNING {}::text",
        table.table(),
        names.join(", "),
        texts.join(", "),
        quoted(&columns.id)
    );
    tx.count_statement();
    let keep = tx.prepares();
    let Raw::Postgres(conn) = tx.raw() else {
        return Err(Error::OtherDatabase {
            store: Dialect::Postgres,
        });
    };
    let made: Result<(String,), _> = sqlx::query_as::<Postgres, (String,)>(AssertSqlSafe(text))
        .persistent(keep)
        .bind(email)
        .bind(user.password.clone())
        .bind(user.active)
        .bind(user.last_login_at)
        .bind(user.created_at)
        .bind(user.locale.clone())
        .bind(Json(user.profile.0.clone()))
        .bind(user.id.uuid())
        .bind(now)
        .fetch_one(&mut **conn)
        .await;
    let (id,) = made.map_err(|error| tx.failed(error))?;
    id.parse().map_err(|_| Error::ForeignColumn {
        column: columns.id.clone(),
        kind: "neither a number nor a UUID".to_owned(),
    })
}
