//! The pages of an administrator.

pub mod administrators;
