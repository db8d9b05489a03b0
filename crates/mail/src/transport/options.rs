//! How much is asked of mail servers, and how they are doing.

use std::path::PathBuf;

/// Most connections to one server.
pub const MAX_CONNECTIONS: usize = 32;

/// How much is asked of servers and receivers at once.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// Connections to each server at most, 1 to [`MAX_CONNECTIONS`]. 4 by default.
    pub connections: usize,
    /// Letters a second to each server; 0, the default, for no limit.
    pub rate: u32,
    /// Letters to one recipient domain at once; 0, the default, for no limit of its own.
    pub domain_connections: usize,
    /// Letters a second to one recipient domain; 0, the default, for no limit.
    pub domain_rate: u32,
    /// Where the token of `auth=xoauth2` stands. Read anew at every login.
    pub token_file: Option<PathBuf>,
    /// More certificates to trust beside the system's, as PEM.
    pub ca_file: Option<PathBuf>,
}

impl Default for SmtpOptions {
    fn default() -> Self {
        Self {
            connections: 4,
            rate: 0,
            domain_connections: 0,
            domain_rate: 0,
            token_file: None,
            ca_file: None,
        }
    }
}

/// How a mail server is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// Which, without user or password: `mx.example.com:587`.
    pub server: String,
    /// Until when no letter is given to it, in microseconds of the clock in use (since the epoch in a
    /// worker); `None` if letters pass.
    pub paused_until: Option<i64>,
    /// What it did last that led to the pause; empty without one.
    pub why: String,
}
