//! For tests of programs that publish and consume.

#[cfg(all(feature = "rabbitmq", unix))]
mod node;

#[cfg(all(feature = "rabbitmq", unix))]
pub use node::RabbitNode;

/// Jitter of none: every delay is exactly its rung.
#[cfg(feature = "testing")]
pub fn no_jitter() -> crate::Random {
    crate::Random::from_fn(|| 0.5)
}
