//! Telling other processes on the same PostgreSQL, by `NOTIFY`.

use sqlx::Connection as _;

use crate::connections::Connections;

/// A channel to write to.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    connections: Connections,
    /// Else a statement is whole only within a transaction.
    keeps_sessions: bool,
    name: String,
}

impl Channel {
    pub(crate) fn new(connections: &Connections, keeps_sessions: bool, name: String) -> Self {
        Self {
            connections: connections.clone(),
            keeps_sessions,
            name,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tells all of `notes`, in one statement.
    pub(crate) async fn tell(&self, notes: &[String]) -> Result<(), sqlx::Error> {
        let query = sqlx::query("SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload")
            .persistent(self.keeps_sessions)
            .bind(&self.name)
            .bind(notes);
        let mut held = self.connections.take_asked().await?;
        if self.keeps_sessions {
            query.execute(held.conn()).await?;
        } else {
            let mut tx = held.conn().begin().await?;
            query.execute(&mut *tx).await?;
            tx.commit().await?;
        }
        held.settled();
        Ok(())
    }
}
