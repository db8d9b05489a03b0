//! The moments that an envelope carries, for programs that use this crate without a database.

/// A moment: microseconds since 1970-01-01T00:00:00Z. With a database feature this is
/// `gatepost_storage::Timestamp`, which can do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}
