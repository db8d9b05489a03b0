//! For tests of everything above this crate: a clock that stands still, and databases of a test's own.

mod clock;
mod counts;
mod database;

pub use clock::ManualClock;
pub use counts::row_counts;
pub use database::Database;
