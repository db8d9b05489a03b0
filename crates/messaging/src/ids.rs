//! Ids of messages where there is no store that makes them.

use uuid::{Builder, Uuid};

use crate::Timestamp;

/// A new id, made at `now`: a UUID of version 7 (RFC 9562).
pub(crate) fn new_id(now: Timestamp) -> Uuid {
    let mut random = [0_u8; 10];
    #[expect(
        clippy::expect_used,
        reason = "a system without randomness can do nothing safely"
    )]
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
