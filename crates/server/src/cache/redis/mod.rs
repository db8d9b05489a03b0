//! Redis: limits that all instances share, and what programs beside us may know of tokens.
//!
//! Nothing here is needed for safety. A Redis that is down, slow, full or emptied costs a little strictness of the
//! limits and some questions more from those programs.

mod counts;
mod gate;
mod server;
mod state;
mod state_keys;

use std::path::Path;
use std::sync::Arc;

use gatepost_storage::Store;
use gatepost_tokens::{Claims, TokenService};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

pub(crate) use self::counts::{Asked, Counted};
use self::gate::Gate;
pub use self::server::CacheError;
use self::server::Server;
pub(crate) use self::server::check_url;
use self::state::State;
use super::memory::Key;

/// The Redis of `cache.url`. Cheap to clone; clones share its connections.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    gate: Gate,
    state: State,
}

impl Redis {
    /// Nothing is connected to before the program serves.
    pub fn new(url: &SecretString, ca_file: Option<&Path>) -> Result<Self, CacheError> {
        let server = Arc::new(Server::new(url.expose_secret(), ca_file)?);
        Ok(Self(Arc::new(Parts {
            gate: Gate::new(Arc::clone(&server), counts::SCRIPT),
            state: State::new(server),
        })))
    }

    /// Whether requests are counted in Redis at the moment; if not, each process counts by itself.
    pub fn is_connected(&self) -> bool {
        self.0.gate.is_open()
    }

    /// Programs that check tokens themselves may go by it that this access token is good, until news of it. Call it
    /// right after the token was checked for somebody who asked.
    pub fn vouch(&self, claims: &Claims) {
        self.0.state.vouch(claims);
    }

    /// Connects, and comes back by itself, until `stop`.
    pub(crate) async fn keep(&self, stop: CancellationToken) {
        self.0.gate.keep(&stop).await;
    }

    /// Keeps those programs told of what is revoked until `stop`.
    pub(crate) async fn tell(&self, store: &Store, tokens: &TokenService, stop: CancellationToken) {
        self.0.state.keep(store, tokens, &stop).await;
    }

    /// Counts in all instances' name; none if Redis can't say.
    pub(crate) async fn take(&self, asked: &[Asked], now: i64) -> Option<Counted> {
        counts::take(&self.0.gate, asked, now).await
    }

    pub(crate) async fn forget(&self, keys: &[Key], now: i64) {
        counts::forget(&self.0.gate, keys, now).await;
    }
}
