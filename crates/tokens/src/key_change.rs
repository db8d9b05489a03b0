//! Keys that come and go, and who wants to know of it.

use std::fmt;
use std::sync::Arc;

use gatepost_storage::signing_keys::SigningKeyRow;
use gatepost_storage::{Tx, TxFuture};

use crate::service::TokenService;
use crate::signing_key::SigningKey;

/// A key that was made, or retired. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: String,
    /// The purposes it is for, with a space between them.
    pub purposes: String,
    /// Whether it was retired; else it was made.
    pub retired: bool,
}

impl KeyChange {
    pub(crate) fn made(key: &SigningKey, purposes: &str) -> Self {
        Self {
            kid: key.kid().to_owned(),
            algorithm: key.algorithm().to_string(),
            purposes: purposes.to_owned(),
            retired: false,
        }
    }

    pub(crate) fn retired(row: &SigningKeyRow) -> Self {
        Self {
            kid: row.kid.clone(),
            algorithm: row.algorithm.clone(),
            purposes: row.purposes.clone(),
            retired: true,
        }
    }
}

type Hook =
    dyn for<'a, 'c> Fn(&'a mut Tx<'c>, KeyChange) -> TxFuture<'a, (), gatepost_storage::Error> + Send + Sync;

/// What runs in the transaction in which a key comes or goes.
#[derive(Clone, Default)]
pub(crate) struct KeyHook(Option<Arc<Hook>>);

impl fmt::Debug for KeyHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyHook").field(&self.0.is_some()).finish()
    }
}

impl TokenService {
    /// Runs `hook` in the transaction in which a key is made or retired, whoever does it: what it writes holds if and
    /// only if that does. It may run again with the transaction.
    #[must_use]
    pub fn on_key_change<H>(mut self, hook: H) -> Self
    where
        H: for<'a, 'c> Fn(&'a mut Tx<'c>, KeyChange) -> TxFuture<'a, (), gatepost_storage::Error>
            + Send
            + Sync
            + 'static,
    {
        self.changed = KeyHook(Some(Arc::new(hook)));
        self
    }

    pub(crate) async fn tell_key(
        &self,
        tx: &mut Tx<'_>,
        change: KeyChange,
    ) -> Result<(), gatepost_storage::Error> {
        if let KeyHook(Some(hook)) = &self.changed {
            hook(tx, change).await?;
        }
        Ok(())
    }
}
