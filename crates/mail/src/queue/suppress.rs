//! Addresses that are left alone, by hand and by what mail servers said.

use std::time::Duration;

use gatepost_storage::suppressions::{self, NewSuppression, SuppressionRow};
use gatepost_storage::{Timestamp, Tx};
use serde::Serialize;

use super::mailer::limit;
use super::{MailError, Mailer};
use crate::EmailAddress;

/// A letter that came back is followed by another within days (RFC 5321 4.5.4.1: a server tries for four or
/// five): if none came by then, the address works again.
const BOUNCES_WITHIN: Duration = Duration::from_hours(5 * 24);

/// Who says that an address is to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppressor {
    /// A person, or a program with a key.
    Hand,
    /// The mail server, which knows no such mailbox (5.1.x at `RCPT`).
    Refused,
    /// A report of a letter that came back.
    Bounced,
    /// The reader, who called a letter unwanted.
    Complaint,
}

impl Suppressor {
    /// As it stands in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Refused => "refused",
            Self::Bounced => "bounced",
            Self::Complaint => "complaint",
        }
    }
}

/// An address that nothing is sent to but one account letter a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// The address, masked.
    pub to: String,
    /// Who says so: `hand`, `refused`, `bounced` or `complaint`.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When it ends by itself; none if somebody has to end it, or a letter that is taken.
    pub ends_at: Option<Timestamp>,
    /// When the last account letter went there all the same.
    pub letter_at: Option<Timestamp>,
}

impl From<SuppressionRow> for Suppression {
    fn from(row: SuppressionRow) -> Self {
        Self {
            to: row.recipient,
            source: row.source,
            reason: row.reason,
            created_at: row.created_at,
            ends_at: row.ends_at,
            letter_at: row.letter_at,
        }
    }
}

impl Mailer {
    /// Sends nothing to an address any more but one account letter in 24 hours; false if that was so already.
    pub async fn suppress(&self, address: &EmailAddress, reason: &str) -> Result<bool, MailError> {
        let (mailer, address, reason) = (self.clone(), address.clone(), reason.to_owned());
        let done = self.store().run_tx("suppress", move |tx| {
            let (mailer, address, reason) = (mailer.clone(), address.clone(), reason.clone());
            Box::pin(async move { mailer.suppress_in(tx, &address, Suppressor::Hand, &reason).await })
        });
        done.await
    }

    /// The same in a transaction that is open.
    pub async fn suppress_in(
        &self,
        tx: &mut Tx<'_>,
        address: &EmailAddress,
        by: Suppressor,
        reason: &str,
    ) -> Result<bool, MailError> {
        let hashes = self.sealer().address_hashes(address);
        // Under an older secret's hash it stands there already.
        let held = suppressions::among(tx, &hashes).await?.into_iter().next();
        let hash = held.map_or_else(|| hashes[0].to_vec(), |row| row.recipient_hash);
        let new = NewSuppression {
            hash: &hash,
            masked: &address.masked(),
            source: by.as_str(),
            reason,
        };
        Ok(suppressions::insert(tx, &new).await?)
    }

    /// Sends to an address again; false if nothing kept it from being sent to.
    pub async fn unsuppress(&self, address: &EmailAddress) -> Result<bool, MailError> {
        let (mailer, address) = (self.clone(), address.clone());
        let done = self.store().run_tx("unsuppress", move |tx| {
            let (mailer, address) = (mailer.clone(), address.clone());
            Box::pin(async move { mailer.unsuppress_in(tx, &address).await })
        });
        done.await
    }

    /// The same in a transaction that is open.
    pub async fn unsuppress_in(&self, tx: &mut Tx<'_>, address: &EmailAddress) -> Result<bool, MailError> {
        let mut any = false;
        for hash in &self.sealer().address_hashes(address) {
            any |= suppressions::delete(tx, hash).await?;
        }
        Ok(any)
    }

    /// A letter to the address was taken: what machines said against it is over, at once or unless the next
    /// letter comes back as well.
    pub(crate) async fn clear_suppression_in(
        &self,
        tx: &mut Tx<'_>,
        address: &EmailAddress,
    ) -> Result<(), MailError> {
        let until = tx.now() + BOUNCES_WITHIN;
        for hash in &self.sealer().address_hashes(address) {
            suppressions::clear_on_success(tx, hash, until).await?;
        }
        Ok(())
    }

    /// Why an address is left alone, if it is.
    pub async fn suppression(&self, address: &EmailAddress) -> Result<Option<Suppression>, MailError> {
        let hashes = self.sealer().address_hashes(address);
        let rows = self.store().read("find_suppression", move |tx| {
            let hashes = hashes.clone();
            Box::pin(async move { suppressions::among(tx, &hashes).await })
        });
        Ok(rows.await?.into_iter().next().map(Suppression::from))
    }

    /// Addresses that are left alone, newest first.
    pub async fn suppressions(&self, limit_to: u32) -> Result<Vec<Suppression>, MailError> {
        let limit = limit(limit_to);
        let rows = self.store().read("list_suppressions", move |tx| {
            Box::pin(suppressions::list(tx, limit))
        });
        Ok(rows.await?.into_iter().map(Suppression::from).collect())
    }
}
