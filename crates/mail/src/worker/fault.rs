//! Places to crash at, for tests.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

/// Between which steps a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultPoint {
    /// The message was claimed; nothing is noted yet.
    Claimed,
    /// The start is noted; nothing was said to the mail server.
    SendingNoted,
    /// The final dot is noted and about to be sent.
    DotNoted,
    /// The mail server took the letter; that is not noted yet.
    Accepted,
    /// `sent` is noted and the message acknowledged.
    SentNoted,
}

/// Called at each point; a test crashes there by never returning and dropping the worker.
pub type FaultHook = Arc<dyn Fn(FaultPoint, Uuid) -> BoxFuture<'static, ()> + Send + Sync>;
