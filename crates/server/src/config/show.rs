//! One line of `gatepost config show`.

use super::layers::Source;

/// A key, its value as text with secrets masked, and where the value came from.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The key, dotted.
    pub key: String,
    /// The value, masked if it is secret, with what an empty one stands for.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}
