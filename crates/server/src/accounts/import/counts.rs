//! What became of the users of the other table.

use std::collections::BTreeMap;

use gatepost_storage::users::UserRow;
use serde::Serialize;

use super::Fate;
use crate::accounts::hasher::Hasher;
use crate::accounts::stored_hash::StoredHash;

/// So many rows are named that became no account, for each reason.
const NAMED: usize = 100;

/// What became of the users of the other table.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Counts {
    /// Rows that were read.
    pub read: u64,
    /// New accounts.
    pub imported: u64,
    /// Accounts of an earlier import that were brought up to what stands there now.
    pub updated: u64,
    /// Accounts of an earlier import that are as they were.
    pub unchanged: u64,
    /// Rows that became no account, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The keys of the first hundred of each, as the other table has them.
    pub skipped_ids: BTreeMap<&'static str, Vec<String>>,
    /// Of the new and the changed ones, how their passwords are stored.
    pub passwords: BTreeMap<&'static str, u64>,
    /// Of these, how many have a password that can't be compared: their owners choose another by "forgot password".
    pub without_password: u64,
    /// Of these, how many may not log in, because the other program switched them off or they never confirmed.
    pub inactive: u64,
}

impl Counts {
    /// How many rows became no account.
    pub fn all_skipped(&self) -> u64 {
        self.skipped.values().sum()
    }

    pub(super) fn count(&mut self, fate: Fate, row: &UserRow, hasher: &Hasher) {
        self.read += 1;
        match fate {
            Fate::Imported => self.imported += 1,
            Fate::Updated => self.updated += 1,
            Fate::Unchanged => self.unchanged += 1,
            Fate::Skipped(why) => {
                *self.skipped.entry(why).or_default() += 1;
                let named = self.skipped_ids.entry(why).or_default();
                if named.len() < NAMED {
                    named.push(row.id.to_string());
                }
            }
        }
        if matches!(fate, Fate::Imported | Fate::Updated) {
            let kind = match StoredHash::parse(&row.password) {
                Ok(Some(stored)) => stored.shape().name(),
                Ok(None) => "none set",
                Err(_) => "not known",
            };
            *self.passwords.entry(kind).or_default() += 1;
            self.without_password += u64::from(!hasher.can_compare(&row.password));
            self.inactive += u64::from(!row.active);
        }
    }
}
