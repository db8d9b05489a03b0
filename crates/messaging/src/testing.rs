//! For tests of programs that publish and consume.

#[cfg(all(feature = "rabbitmq", unix))]
mod node;

#[cfg(all(feature = "rabbitmq", unix))]
pub use node::RabbitNode;

use crate::Random;

/// Jitter of none: every delay is exactly its rung.
pub fn no_jitter() -> Random {
    Random::from_fn(|| 0.5)
}
