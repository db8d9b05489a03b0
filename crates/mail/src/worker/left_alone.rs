//! Who of many is to be left alone, in one statement.

use std::collections::HashMap;

use gatepost_storage::{Tx, suppressions};

use crate::EmailAddress;
use crate::queue::MailError;
use crate::seal::Sealer;

/// What the list says of some addresses, each known by its place among them.
pub(super) struct LeftAlone {
    /// Under each key that the list may have been written with, newest first.
    hashes: Vec<Vec<[u8; 32]>>,
    reasons: HashMap<Vec<u8>, String>,
}

impl LeftAlone {
    pub(super) async fn among<'a>(
        tx: &mut Tx<'_>,
        sealer: &Sealer,
        addresses: impl Iterator<Item = &'a EmailAddress>,
    ) -> Result<Self, MailError> {
        let hashes: Vec<Vec<[u8; 32]>> = addresses.map(|address| sealer.address_hashes(address)).collect();
        let found = suppressions::among(tx, &hashes.concat()).await?;
        let reasons = found.into_iter().map(|row| (row.recipient_hash, row.reason));
        Ok(Self {
            reasons: reasons.collect(),
            hashes,
        })
    }

    /// Under which hash the address stands on the list, and why.
    pub(super) fn of(&self, nth: usize) -> Option<(&[u8], &str)> {
        let on_list = |hash: &[u8; 32]| self.reasons.get_key_value(hash.as_slice());
        let (hash, reason) = self.hashes[nth].iter().find_map(on_list)?;
        Some((hash, reason))
    }

    /// The address's hash under the newest key.
    pub(super) fn hash(&self, nth: usize) -> [u8; 32] {
        // A sealer has a key at least.
        self.hashes[nth][0]
    }
}
