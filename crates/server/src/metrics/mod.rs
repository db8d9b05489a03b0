//! `GET /metrics`: how the program is, for Prometheus.
//!
//! The text is made here, by hand: what is counted on the way of every request is found by the address of a cell, with
//! no lock and no allocation, and what stands in the database is asked for when somebody looks. A crate of metrics
//! would keep both in maps of label strings behind locks, for the two hundred lines that this takes.

mod http;
pub mod show;
mod stored;
mod text;

pub use self::http::HttpTimes;
use self::stored::Cached;

/// What the process counts besides what its parts count themselves.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests.
    pub http: HttpTimes,
    stored: Cached,
}
