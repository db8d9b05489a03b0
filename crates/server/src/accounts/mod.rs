//! The life of an account: register, activate, resend, forgot, reset.
