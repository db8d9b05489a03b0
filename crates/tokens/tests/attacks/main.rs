//! Everything that RFC 8725 and ASVS 9 warn of, thrown at the tokens: with no key, with the right key, with one of
//! another purpose, from several instances at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod claims;
mod clocks;
mod forge;
mod headers;
mod keys;
mod parser;
mod purposes;
mod replay;
mod spelling;
