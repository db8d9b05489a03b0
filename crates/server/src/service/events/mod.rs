//! `/api/events`: what happened, for programs that read along.

pub mod list;
