//! Gatepost looked at from outside.
//!
//! [`outside`] starts the real executable in a folder of its own and drives it over HTTP, by signals and
//! with a mail server that misbehaves on demand; the black-box tests (`crates/server/tests/outside`) and the
//! measurements in `src/bin` share it. [`chaos`] kills all of it under load. [`load`] presses on one route as hard as two cores can, [`stats`]
//! says what the figures mean, [`results`] keeps them.
//!
//! ```no_run
//! use gatepost_bench::outside::Setup;
//!
//! let gatepost = Setup::new("target/debug/gatepost").start();
//! assert_eq!(gatepost.client().get("/healthz").status, 200);
//! ```
//!
//! Everything here panics where it cannot go on: it is only ever run by tests and benchmarks, and a panic
//! that says what happened is their answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

pub mod chaos;
pub mod load;
pub mod outside;
pub mod results;
pub mod stats;

/// The executable to look at: `GATEPOST_BIN`, or the one built beside this program.
pub fn executable() -> std::path::PathBuf {
    match std::env::var_os("GATEPOST_BIN") {
        Some(path) => path.into(),
        None => std::env::current_exe()
            .expect("a program knows where it lies")
            .with_file_name("gatepost"),
    }
}
