//! What standard clients ask a gate: is this token good (RFC 7662), and make it good for nothing (RFC 7009).
//!
//! Forms in and JSON out, and errors in the form of RFC 6749 5.2 instead of problem documents: libraries read these.

pub mod client;
pub mod error;
pub mod form;
pub mod introspect;
pub mod revoke;
