//! Which passwords may be chosen: NIST SP 800-63B-4, 3.1.1.2.
//!
//! Length is the only rule of form. Refused besides is what is tried first (the list in
//! `data/common_passwords.txt`, repeats and runs) and what anybody who knows the account would guess.
//! Characters are code points. What is hashed is the UTF-8 as it was sent, not normalised, so that a Django
//! project that reads the same table agrees (Django hashes the raw bytes).

use std::collections::HashSet;
use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

/// Longer ones are refused: hashing takes time that grows with them. At four bytes a character this still
/// lets 256 characters through; NIST asks for 64.
pub const MAX_BYTES: usize = 1_024;

/// A password as somebody typed it: not empty, at most [`MAX_BYTES`], no control characters. Whether it may
/// be *chosen* is for [`Policy::check`]; to log in with an old one it need not be.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
pub struct Password(SecretString);

/// Why a text cannot be a password at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_BYTES`].
    #[error("too long: at most {MAX_BYTES} bytes")]
    TooLong,
    /// A control character: nobody can type it again.
    #[error("holds a control character")]
    Control,
}

impl Password {
    /// Take a text for a password.
    pub fn parse(text: impl Into<String>) -> Result<Self, Unusable> {
        let text = text.into();
        if text.is_empty() {
            return Err(Unusable::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(Unusable::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(Unusable::Control);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// The text, for the hasher.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Why a password may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Fewer characters than the policy asks for.
    #[error("Use at least {least} characters. A sentence of a few words does well.")]
    TooShort {
        /// The least number of characters.
        least: usize,
    },
    /// In the list of common ones, or a repeat or run.
    #[error("This is one of the passwords that are tried first. Choose another one.")]
    Common,
    /// Little more than the address, a name or the service's name.
    #[error("This is too close to the address or to the name of the service. Choose another one.")]
    Contextual,
}

/// The rules of this installation.
#[derive(Debug, Clone)]
pub struct Policy {
    least: usize,
    service_words: Vec<String>,
}

static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("../../data/common_passwords.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect()
});

/// Rows of keyboards and the alphabet: any stretch of one, either way, is a run.
const ROWS: [&str; 9] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789012345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "йцукенгшщзхъфывапролджэячсмитьбю",
];

impl Policy {
    /// At least `least` characters (`accounts.min_password_length`); `service` is what the service is called,
    /// the host of its public address for instance: its words are guessed first.
    pub fn new(least: usize, service: &[&str]) -> Self {
        let service_words = service.iter().flat_map(|text| words(text)).collect();
        Self { least, service_words }
    }

    /// May this password be chosen for an account that `about` describes (its address, the name in its
    /// profile)?
    pub fn check(&self, password: &Password, about: &[&str]) -> Result<(), Weak> {
        let text = password.expose();
        if text.chars().count() < self.least {
            return Err(Weak::TooShort { least: self.least });
        }
        let folded = fold(text);
        if is_common(&folded) {
            return Err(Weak::Common);
        }
        let mut context: Vec<String> = about.iter().flat_map(|text| words(text)).collect();
        context.extend(about.iter().map(|text| fold(text)));
        context.extend(self.service_words.iter().cloned());
        if is_contextual(&folded, context) {
            return Err(Weak::Contextual);
        }
        Ok(())
    }
}

/// As the list spells them: compatibility forms made one, small letters.
fn fold(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// The stretches of letters and digits of at least four characters, and all of them in one.
fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let mut words: Vec<String> = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.chars().count() >= 4)
        .map(str::to_owned)
        .collect();
    let joined: String = folded.chars().filter(|c| c.is_alphanumeric()).collect();
    if joined.chars().count() >= 4 && !words.contains(&joined) {
        words.push(joined);
    }
    words
}

fn is_common(folded: &str) -> bool {
    if COMMON.contains(folded) {
        return true;
    }
    let compact: Vec<char> = folded.chars().filter(|c| !c.is_whitespace()).collect();
    let text: String = compact.iter().collect();
    COMMON.contains(text.as_str())
        || COMMON.contains(unleet(&text).as_str())
        || COMMON.contains(trim_ends(&text))
        || is_run(&text)
        || repeats(&compact)
}

/// Digits and signs put before or after a word are the first thing that is tried.
fn trim_ends(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphabetic())
}

fn unleet(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

/// A stretch of one row, forwards or backwards.
fn is_run(text: &str) -> bool {
    let backwards: String = text.chars().rev().collect();
    ROWS.iter()
        .any(|row| row.contains(text) || row.contains(&backwards))
}

/// The same thing again and again: "aaaaaaaaaaaaaaa", "abcabcabcabcabc", "passwordpassword1".
fn repeats(text: &[char]) -> bool {
    (1..=text.len() / 2).any(|unit| {
        let rest = text.len() % unit;
        let whole = &text[..text.len() - rest];
        whole.chunks(unit).all(|chunk| chunk == &text[..unit]) && rest <= 2.max(unit / 2) && unit <= 12
    })
}

/// What is left when everything that the account tells is taken away: fewer than eight characters is too
/// little to be a secret of its own.
fn is_contextual(folded: &str, mut context: Vec<String>) -> bool {
    context.retain(|word| word.chars().count() >= 4);
    // The longest first, or "anna@example.com" would leave the rest of itself behind.
    context.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut rest = folded.to_owned();
    let mut found = false;
    for word in &context {
        if rest.contains(word.as_str()) {
            found = true;
            rest = rest.replace(word.as_str(), "");
        }
    }
    found && rest.chars().filter(|c| c.is_alphabetic()).count() < 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Weak> {
        let policy = Policy::new(15, &["Gatepost", "id.example.com"]);
        policy.check(
            &Password::parse(text).unwrap(),
            &["anna.petrova@mail.test", "Anna Petrova"],
        )
    }

    #[test]
    fn code_points_are_counted_not_bytes() {
        assert_eq!(check("ключ от квартир"), Ok(()));
        assert_eq!(check("ключ от квартм"), Err(Weak::TooShort { least: 15 }));
    }

    #[test]
    fn good_ones_pass_whatever_they_are_made_of() {
        for good in [
            "wet stones under moss",
            "seven owls in an attic",
            "9f8a1c07be52d4e6aa",
            "🐎 батарея, скоба и ещё",
            &"correct ".repeat(9),
        ] {
            let expected = if good.starts_with("correct") {
                Err(Weak::Common)
            } else {
                Ok(())
            };
            assert_eq!(check(good), expected, "{good}");
        }
        let long = "the ferryman counts forty-one geese before the bridge opens, then sleeps until noon";
        assert_eq!(check(long), Ok(()));
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for common in [
            "passwordpassword",
            "Password12345678",
            "P@ssw0rdP@ssw0rd",
            "correct horse battery staple",
            "qwertyuiopasdfgh",
            "123456789012345",
            "987654321098765",
            "aaaaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "1q2w3e4r5t6y7u8i",
            "mypasswordispassword",
            "йцукенгшщзхъфыва",
            "ＰＡＳＳＷＯＲＤｐａｓｓｗｏｒｄ",
            "administrator!!!!",
        ] {
            assert_eq!(check(common), Err(Weak::Common), "{common}");
        }
    }

    #[test]
    fn what_the_account_tells_is_refused() {
        for contextual in [
            "anna.petrova@mail.test",
            "AnnaPetrova1987",
            "petrova87-anna1999",
            "gatepost2026-anna",
            "example.gatepost!",
        ] {
            assert_eq!(check(contextual), Err(Weak::Contextual), "{contextual}");
        }
        assert_eq!(check("petrova keeps bees and rabbits"), Ok(()));
    }

    #[test]
    fn a_text_that_nobody_can_type_is_no_password() {
        assert_eq!(Password::parse("").unwrap_err(), Unusable::Empty);
        assert_eq!(Password::parse("x".repeat(1_025)).unwrap_err(), Unusable::TooLong);
        assert_eq!(Password::parse("a\nb").unwrap_err(), Unusable::Control);
        assert!(!format!("{:?}", Password::parse("hush hush").unwrap()).contains("hush"));
    }
}
