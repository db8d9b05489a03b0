//! The life of an account: register, activate, resend, forgot, reset.

pub mod hasher;
pub mod password;
