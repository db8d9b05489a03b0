//! For tests of everything above this crate: a clock that stands still, and databases of a test's own.

mod clock;
mod database;

pub use clock::ManualClock;
pub use database::Database;
