//! `/api/revocations`: what is revoked, for other programs that check access tokens themselves.

pub mod list;
