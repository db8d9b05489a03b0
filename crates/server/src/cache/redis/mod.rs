//! Redis: limits that all instances share, and what programs beside us may know of tokens.
//!
//! Nothing here is needed for safety. A Redis that is down, slow, full or emptied costs a little strictness of the
//! limits and some questions more from those programs.

mod counts;
mod gate;
mod server;

use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

pub(crate) use self::counts::{Asked, Counted};
use self::gate::Gate;
pub use self::server::CacheError;
use self::server::Server;
pub(crate) use self::server::check_url;
use super::memory::Key;

/// The Redis of `cache.url`. Cheap to clone; clones share one connection.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Gate>);

impl Redis {
    /// Nothing is connected to before [`keep`](Self::keep).
    pub fn new(url: &SecretString, ca_file: Option<&Path>) -> Result<Self, CacheError> {
        let server = Arc::new(Server::new(url.expose_secret(), ca_file)?);
        Ok(Self(Arc::new(Gate::new(server, counts::SCRIPT))))
    }

    /// Whether requests are counted in Redis at the moment; if not, each process counts by itself.
    pub fn is_connected(&self) -> bool {
        self.0.is_open()
    }

    /// Connects, and comes back by itself, until `stop`.
    pub(crate) async fn keep(&self, stop: CancellationToken) {
        self.0.keep(&stop).await;
    }

    /// Counts in all instances' name; none if Redis can't say.
    pub(crate) async fn take(&self, asked: &[Asked], now: i64) -> Option<Counted> {
        counts::take(&self.0, asked, now).await
    }

    pub(crate) async fn forget(&self, keys: &[Key], now: i64) {
        counts::forget(&self.0, keys, now).await;
    }
}
