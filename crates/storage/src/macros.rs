//! One body for both databases: each macro runs the same statement with the same binds on whichever
//! connection the [`Tx`](crate::Tx) has.

/// A statement that differs between the databases: `sql! { sqlite: "...", postgres: "..." }`.
macro_rules! sql {
    (sqlite: $sqlite:expr, postgres: $postgres:expr $(,)?) => {
        $crate::sql::Sql {
            sqlite: $sqlite,
            postgres: $postgres,
        }
    };
}

/// Runs `query` on the transaction's connection and turns the error into ours.
macro_rules! run_on {
    ($tx:expr, $sql:expr, [$($bind:expr),*], $query:ident $(::<$row:ty>)?, $method:ident) => {{
        let tx: &mut $crate::Tx<'_> = &mut *$tx;
        let text = tx.expand($sql.into());
        tx.count_statement();
        let keep = tx.prepares();
        let result = match tx.raw() {
            $crate::tx::Raw::Sqlite(conn) => run_on!(@one sqlx::Sqlite, conn, keep, text, [$($bind),*], $query $(::<$row>)?, $method),
            $crate::tx::Raw::Postgres(conn) => run_on!(@one sqlx::Postgres, conn, keep, text, [$($bind),*], $query $(::<$row>)?, $method),
        };
        result.map_err(|error| tx.failed(error))
    }};
    (@one $db:ty, $conn:ident, $keep:ident, $text:ident, [$($bind:expr),*], query, execute) => {
        sqlx::query::<$db>(sqlx::AssertSqlSafe($text)).persistent($keep)$(.bind($bind))*.execute(&mut **$conn).await.map(|done| done.rows_affected())
    };
    (@one $db:ty, $conn:ident, $keep:ident, $text:ident, [$($bind:expr),*], query_as::<$row:ty>, $method:ident) => {
        sqlx::query_as::<$db, $row>(sqlx::AssertSqlSafe($text)).persistent($keep)$(.bind($bind))*.$method(&mut **$conn).await
    };
}

/// Runs a statement; how many rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let rows: Result<u64, $crate::Error> = run_on!($tx, $sql, [$($bind),*], query, execute);
        if let Ok(rows) = &rows {
            $tx.count_rows(*rows);
        }
        rows
    }};
}

/// The first row, if there is one.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        run_on!($tx, $sql, [$($bind),*], query_as::<$row>, fetch_optional)
    };
}

/// The one row; none is an error.
macro_rules! fetch_one {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        run_on!($tx, $sql, [$($bind),*], query_as::<$row>, fetch_one)
    };
}

/// All rows.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        run_on!($tx, $sql, [$($bind),*], query_as::<$row>, fetch_all)
    };
}
