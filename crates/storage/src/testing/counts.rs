//! How many rows stand in each of a store's tables.

use std::collections::BTreeMap;

use crate::tx::Raw;
use crate::{Error, Store};

/// Rows by table, its name without schema or prefix: for tests of what grows and what is deleted.
///
/// # Errors
/// The database's.
pub async fn row_counts(store: &Store) -> Result<BTreeMap<String, i64>, Error> {
    let schema = store.schema().to_owned();
    store
        .read("row_counts", |tx| {
            Box::pin(async move {
                let tables: Vec<(String,)> = fetch_all!(
                    tx,
                    (String,),
                    sql! {
                        sqlite: "SELECT substr(name, length($1) + 2) FROM sqlite_master
                                 WHERE type = 'table' AND substr(name, 1, length($1) + 1) = $1 || '_'",
                        postgres: "SELECT tablename::text FROM pg_tables WHERE schemaname = $1",
                    },
                    &schema
                )?;
                let mut counts = BTreeMap::new();
                for (table,) in tables {
                    let text = tx
                        .shared()
                        .names
                        .expand(&format!("SELECT count(*) FROM {{{table}}}"));
                    let text = sqlx::AssertSqlSafe(text);
                    let keep = tx.prepares();
                    let (rows,): (i64,) = match tx.raw() {
                        Raw::Sqlite(conn) => sqlx::query_as(text).fetch_one(&mut **conn).await?,
                        Raw::Postgres(conn) => {
                            let query = sqlx::query_as(text).persistent(keep);
                            query.fetch_one(&mut **conn).await?
                        }
                    };
                    counts.insert(table, rows);
                }
                Ok(counts)
            })
        })
        .await
}
