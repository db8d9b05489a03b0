//! The API for other programs.

mod inbox;
mod keys;
mod mail;
mod tokens;
mod users;
