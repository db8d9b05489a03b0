//! simplejwt's tokens: the same bytes, the same answers. What it says itself stands in `golden.json`, which
//! `golden.py` writes with the real package.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod golden;
mod rules;
