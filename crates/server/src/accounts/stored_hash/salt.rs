//! Salts as Django makes them: letters and digits, used as text.

/// 22 of them hold 128 bits and more; Django hashes anew what has fewer.
pub(super) const CHARS: usize = 22;
/// The whole of Django's column is no longer.
pub(super) const MOST_CHARS: usize = 128;

/// A new one.
pub(super) fn new() -> Vec<u8> {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut salt = Vec::with_capacity(CHARS);
    while salt.len() < CHARS {
        for byte in crate::random::bytes::<32>() {
            // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
            if byte < 248 && salt.len() < CHARS {
                salt.push(LETTERS[usize::from(byte) % LETTERS.len()]);
            }
        }
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_are_what_django_makes() {
        let salt = new();
        assert!(salt.len() == 22 && salt.iter().all(u8::is_ascii_alphanumeric));
        assert_ne!(salt, new());
    }
}
