//! Sessions that end, and who wants to know of it.

use std::fmt;
use std::sync::Arc;

use gatepost_storage::{Tx, TxFuture, sessions};
use uuid::Uuid;

use crate::error::ServiceError;
use crate::service::TokenService;
use crate::sessions::EndReason;

/// Living sessions of one subject that were ended at once. (One that runs out of time just expires.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsEnded {
    /// Whose they were.
    pub subject: String,
    /// Which.
    pub sessions: Vec<Uuid>,
    /// Why.
    pub reason: EndReason,
}

type Hook = dyn for<'a, 'c> Fn(&'a mut Tx<'c>, SessionsEnded) -> TxFuture<'a, (), gatepost_storage::Error>
    + Send
    + Sync;

/// What runs in the transaction in which sessions end.
#[derive(Clone, Default)]
pub(crate) struct EndHook(Option<Arc<Hook>>);

impl fmt::Debug for EndHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EndHook").field(&self.0.is_some()).finish()
    }
}

impl TokenService {
    /// Runs `hook` in the transaction in which sessions end: what it writes holds if and only if they did. It may
    /// run again with the transaction.
    #[must_use]
    pub fn on_session_end<H>(mut self, hook: H) -> Self
    where
        H: for<'a, 'c> Fn(&'a mut Tx<'c>, SessionsEnded) -> TxFuture<'a, (), gatepost_storage::Error>
            + Send
            + Sync
            + 'static,
    {
        self.ended = EndHook(Some(Arc::new(hook)));
        self
    }

    /// Ends one session, of `subject` only if one is given; whether it was alive.
    pub(crate) async fn end_row(
        &self,
        tx: &mut Tx<'_>,
        subject: Option<&str>,
        sid: Uuid,
        reason: EndReason,
    ) -> Result<bool, ServiceError> {
        let Some(subject) = sessions::end(tx, sid, subject, reason.as_str()).await? else {
            return Ok(false);
        };
        #[cfg(feature = "simplejwt")]
        self.blacklist_current(tx, sid).await?;
        self.tell_ended(tx, subject, vec![sid], reason).await?;
        Ok(true)
    }

    /// Ends every session of the subject but one; how many.
    pub(crate) async fn end_rows(
        &self,
        tx: &mut Tx<'_>,
        subject: &str,
        except: Option<Uuid>,
        reason: EndReason,
    ) -> Result<u64, ServiceError> {
        let ended = sessions::end_all(tx, subject, except, reason.as_str()).await?;
        let count = ended.len() as u64;
        self.tell_ended(tx, subject.to_owned(), ended, reason).await?;
        Ok(count)
    }

    async fn tell_ended(
        &self,
        tx: &mut Tx<'_>,
        subject: String,
        sessions: Vec<Uuid>,
        reason: EndReason,
    ) -> Result<(), ServiceError> {
        if let EndHook(Some(hook)) = &self.ended
            && !sessions.is_empty()
        {
            let ended = SessionsEnded {
                subject,
                sessions,
                reason,
            };
            hook(tx, ended).await?;
        }
        Ok(())
    }
}
