//! The sessions of a person: where he is logged in, and how to end that.

pub mod end;
pub mod list;
