use proptest::prelude::*;

use super::*;

/// Lines of a password and what the real Django made of it: see `tests/django/passwords.py`.
const GOLDEN: &str = include_str!("golden.txt");

fn golden() -> impl Iterator<Item = (Password, &'static str)> {
    GOLDEN.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (password, stored) = line.split_once('\t').unwrap();
        (Password::parse(password).unwrap(), stored)
    })
}

/// "correct horse" with one salt, by the real Django too.
const ONE_SALT: [&str; 6] = [
    "pbkdf2_sha256$1000$saltsaltsaltsaltsalt22$gO2QBfDGYVYjWMWu8/Vd5fKzH8Jg+zluhGr0LyKkkY0=",
    "pbkdf2_sha1$1000$saltsaltsaltsaltsalt22$aR3lNZ85B90GU6jNyizh4RGzQ4A=",
    "scrypt$1024$saltsaltsaltsaltsalt22$8$1$pKAz6eQsLnjm9Vn8h0jlzf4JpHUMMe8wq1w7y/sn9efsYQQtUyWaxXQi3U6jiTJD+J/E0T51yTefsxHDS+uFVA==",
    "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuIvyWZlBcE3WoQXKqRnwrLYJ6nenE0Bq",
    "bcrypt$$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M",
];

#[test]
fn what_django_stored_is_read_compared_and_written_as_it_was() {
    let mut memory = Vec::new();
    let horse = || Password::parse("correct horse").unwrap();
    let wrong = Password::parse("correct house").unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for (password, text) in golden().chain(ONE_SALT.map(|text| (horse(), text))) {
        let stored = StoredHash::parse(text).unwrap().unwrap();
        assert!(stored.matches(&password, &mut memory).unwrap(), "{text}");
        assert!(!stored.matches(&wrong, &mut memory).unwrap(), "{text}");
        assert_eq!(stored.to_string(), text);
        kinds.insert(stored.shape().name());
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}

#[test]
fn digests_of_the_first_years_are_known_as_such() {
    for (text, name) in [
        ("md5$abc$0cb3427bb2b70b56af8ba3ad6c0e2bdf", "md5"),
        ("md5$$5f4dcc3b5aa765d61d8327deb882cf99", "unsalted_md5"),
        ("5f4dcc3b5aa765d61d8327deb882cf99", "unsalted_md5"),
        ("sha1$$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "unsalted_sha1"),
    ] {
        let stored = StoredHash::parse(text).unwrap().unwrap();
        assert!(stored.shape().is_legacy());
        assert_eq!((stored.shape().name(), stored.to_string().as_str()), (name, text));
        if name.starts_with("unsalted") {
            let password = Password::parse("password").unwrap();
            assert!(stored.matches(&password, &mut Vec::new()).unwrap(), "{text}");
        }
    }
}

#[test]
fn other_texts_are_told_apart() {
    assert!(StoredHash::parse("!KtHf").unwrap().is_none() && StoredHash::parse("").unwrap().is_none());
    let moons = [
        ONE_SALT[5].replace("m=64", "m=64000000"),
        ONE_SALT[5].replace("t=1", "t=21"),
        ONE_SALT[0].replace("$1000$", "$10000001$"),
        ONE_SALT[0].replace("$1000$", "$0$"),
        ONE_SALT[2].replace("$1024$", "$1048576$"),
        ONE_SALT[2].replace("$1024$", "$1000$"),
        ONE_SALT[2].replace("$8$1$", "$8$4000$"),
        ONE_SALT[3].replace("$04$", "$31$"),
        ONE_SALT[3].replace("$04$", "$4$"),
        ONE_SALT[3].replace("$2b$", "$2x$"),
    ];
    let bad = [
        "pbkdf2_sha256$1$a$b",
        "pbkdf2_sha256$1$$gO2QBfDGYVYjWMWu8/Vd5fKzH8Jg+zluhGr0LyKkkY0=",
        "argon2$argon2id$v=19$m=64$$",
        "argon2$argon2d$v=19$",
        "crypt$$abcdefghijklm",
        "plain text",
        "5F4DCC3B5AA765D61D8327DEB882CF99",
        "bcrypt$$2b$04$",
    ];
    for text in moons.iter().map(String::as_str).chain(bad) {
        assert!(StoredHash::parse(text).is_err(), "{text}");
    }
}

const CHEAP: [Shape; 6] = [
    Shape::Argon2 {
        id: true,
        cost: Cost {
            memory: 16,
            passes: 1,
            lanes: 1,
        },
    },
    Shape::Pbkdf2 {
        digest: Digest::Sha256,
        iterations: 3,
    },
    Shape::Pbkdf2 {
        digest: Digest::Sha1,
        iterations: 3,
    },
    Shape::Scrypt {
        log_n: 2,
        block: 2,
        parallel: 2,
    },
    Shape::Bcrypt {
        sha256: true,
        minor: b'b',
        rounds: 4,
    },
    Shape::Bcrypt {
        sha256: false,
        minor: b'y',
        rounds: 4,
    },
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_we_store_we_know_again(text in "[^\\p{Cc}]{1,60}", other in "[^\\p{Cc}]{1,60}", kind in 0_usize..CHEAP.len()) {
        let (password, other) = (Password::parse(text).unwrap(), Password::parse(other).unwrap());
        let mut memory = Vec::new();
        let written = StoredHash::of(&password, CHEAP[kind], &mut memory).unwrap().to_string();
        prop_assert!(written.len() <= 128, "Django's column has 128 characters: {written}");
        let stored = StoredHash::parse(&written).unwrap().unwrap();
        prop_assert_eq!(stored.shape(), CHEAP[kind]);
        prop_assert_eq!(stored.to_string(), written);
        prop_assert!(stored.matches(&password, &mut memory).unwrap());
        let same = password.expose() == other.expose();
        let cut = matches!(CHEAP[kind], Shape::Bcrypt { sha256: false, .. })
            && password.expose().as_bytes().iter().take(72).eq(other.expose().as_bytes().iter().take(72));
        prop_assert_eq!(stored.matches(&other, &mut memory).unwrap(), same || cut);
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,200}") {
        let _ = StoredHash::parse(&text);
    }

    #[test]
    fn no_text_that_looks_like_one_is_too_odd(
        kind in "argon2|pbkdf2_sha256|pbkdf2_sha1|bcrypt|bcrypt_sha256|scrypt|md5|sha1",
        parts in proptest::collection::vec("argon2id|2b|v=19|m=8,t=1,p=1|m=4294967295,t=0,p=0|[0-9]{0,12}|[A-Za-z0-9+/=.é]{0,64}", 0..7),
    ) {
        let text = format!("{kind}${}", parts.join("$"));
        if let Ok(Some(stored)) = StoredHash::parse(&text) {
            prop_assert!(StoredHash::parse(&stored.to_string()).unwrap().is_some());
        }
    }
}
