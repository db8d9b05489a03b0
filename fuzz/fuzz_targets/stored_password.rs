//! Passwords as Django stores them: what can be read is bounded in what it costs, and written again as it stood.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub)]

use libfuzzer_sys::fuzz_target;

// The parser itself, and not the whole program around it.
#[path = "../../crates/server/src/accounts/stored_hash/mod.rs"]
mod stored_hash;

#[path = "../../crates/server/src/random.rs"]
mod random;

mod password {
    /// In the place of a password that may be chosen.
    pub struct Password(pub &'static str);

    impl Password {
        pub fn expose(&self) -> &str {
            self.0
        }
    }
}

use stored_hash::{Cost, Shape, StoredHash};

/// Whether it is computed in no time.
fn is_cheap(shape: Shape) -> bool {
    match shape {
        Shape::Argon2 { cost, .. } => cost.memory <= 256 && cost.passes <= 2,
        Shape::Pbkdf2 { iterations, .. } => iterations <= 100,
        Shape::Bcrypt { rounds, .. } => rounds <= 4,
        Shape::Scrypt { log_n, block, parallel } => log_n <= 6 && block <= 8 && parallel <= 4,
        Shape::Plain(_) => true,
    }
}

fuzz_target!(|text: &str| {
    let Ok(Some(stored)) = StoredHash::parse(text) else {
        return;
    };
    let written = stored.to_string();
    let again = StoredHash::parse(&written)
        .unwrap_or_else(|error| panic!("{written:?}: {error}"))
        .expect("a hash");
    assert_eq!((again.to_string(), again.shape()), (written, stored.shape()));
    if is_cheap(stored.shape()) {
        let password = password::Password("seven owls in an attic");
        let once = stored.matches(&password, &mut Vec::new());
        assert_eq!(once, again.matches(&password, &mut Vec::new()), "{text:?}");
    }
});
