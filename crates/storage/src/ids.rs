//! Ids that sort by the time they were made.

use uuid::{Builder, Uuid};

use crate::Timestamp;

/// A new id, made at `now`: a UUID of version 7 (RFC 9562), so that rows made one after another lie side
/// by side in an index. It tells when it was made and is no secret.
pub fn new_id(now: Timestamp) -> Uuid {
    let mut random = [0_u8; 10];
    fill_random(&mut random);
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Fills `buffer` from the operating system's generator.
pub(crate) fn fill_random(buffer: &mut [u8]) {
    #[expect(
        clippy::expect_used,
        reason = "a system without randomness can do nothing safely"
    )]
    getrandom::fill(buffer).expect("the operating system gives random bytes");
}
