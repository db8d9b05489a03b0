//! Randomness, through one door.

/// `N` random bytes of the system.
#[expect(
    clippy::expect_used,
    reason = "a system without randomness can make no token; there is nothing to go on with"
)]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
