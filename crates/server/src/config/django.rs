//! `accounts.django`: where a Django project keeps its users, and what Gatepost may write there.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::{DjangoTable, IdKind, UserColumns, UserTable};
use secrecy::SecretString;

use super::parsers::{not_empty, one_of, some};
use super::reader::{Reader, Seen};
use crate::accounts::stored_hash::{Cost, Digest, Shape};

/// A Django project's users.
#[derive(Clone, Debug)]
pub struct DjangoAccounts {
    /// The table and its columns.
    pub columns: UserColumns,
    /// The kind and cost of the passwords that Gatepost sets there.
    pub hasher: Shape,
    /// Whether somebody who never logged in and is not active can ask for an activation letter.
    pub resend_activation: bool,
    /// `SECRET_KEY`, and `SECRET_KEY_FALLBACKS` after it: what the links of Django's own letters are checked with.
    /// Empty: such links are refused.
    pub link_secrets: Vec<SecretString>,
    /// `PASSWORD_RESET_TIMEOUT`.
    pub link_lifetime: Duration,
    /// How far `TIME_ZONE` is ahead of UTC, in seconds: Django counts the age of its links in local time.
    pub utc_offset: i64,
}

pub(crate) fn django(r: &mut Reader) -> Option<DjangoAccounts> {
    let mut name = |key: &str| r.parsed(&format!("accounts.django.{key}"), Seen::Whole, not_empty);
    let (table, id, email) = (name("table"), name("id"), name("email"));
    let (username, password, is_active) = (name("username"), name("password"), name("is_active"));
    let id_kind = r.parsed("accounts.django.id_type", Seen::Whole, |text| {
        one_of(text, &[("integer", IdKind::Integer), ("uuid", IdKind::Uuid)])
    });
    let mut optional = |key: &str| r.text(&format!("accounts.django.{key}"), Seen::Whole).map(some);
    let (last_login, date_joined, locale) = (
        optional("last_login"),
        optional("date_joined"),
        optional("locale"),
    );
    let profile = r.list("accounts.django.profile", Seen::Whole);
    let hasher = hasher(r);
    let resend_activation = r.switch("accounts.django.resend_activation");
    let secret = r.text("accounts.django.secret_key", Seen::Length);
    let fallbacks = r.list("accounts.django.secret_key_fallbacks", Seen::Length);
    let link_lifetime = r.duration("accounts.django.link_lifetime");
    let utc_offset = r.parsed("accounts.django.utc_offset", Seen::Whole, offset);
    let columns = UserColumns {
        table: table?,
        id: id?,
        id_kind: id_kind?,
        email: email?,
        username: username?,
        password: password?,
        is_active: is_active?,
        last_login: last_login?,
        date_joined: date_joined?,
        locale: locale?,
        profile: profile?,
        default_locale: String::new(),
    };
    if let Err(bad) = DjangoTable::new(columns.clone()) {
        r.problem("accounts.django.table", bad.to_string());
        return None;
    }
    let link_secrets = some(secret?).into_iter().chain(fallbacks?);
    Some(DjangoAccounts {
        columns,
        hasher: hasher?,
        resend_activation: resend_activation?,
        link_secrets: link_secrets.map(SecretString::from).collect(),
        link_lifetime: link_lifetime?,
        utc_offset: utc_offset?,
    })
}

/// `+03:00`, in seconds.
fn offset(text: &str) -> Result<i64, String> {
    let wrong = || "must be as +03:00 or -05:00".to_owned();
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    match (hours.parse::<u8>(), minutes.parse::<u8>()) {
        (Ok(hours @ 0..=14), Ok(minutes @ 0..=59)) => {
            Ok(sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
        }
        _ => Err(wrong()),
    }
}

/// Costs as Django 5.2 has them, where they are not a setting of their own.
fn hasher(r: &mut Reader) -> Option<Shape> {
    // The least that was ever Django's default in a supported release is 600,000.
    let iterations = r.number("accounts.django.pbkdf2_iterations", 100_000..=10_000_000)?;
    let argon2 = Cost {
        memory: 102_400,
        passes: 2,
        lanes: 8,
    };
    let kinds = [
        (
            "pbkdf2_sha256",
            Shape::Pbkdf2 {
                digest: Digest::Sha256,
                iterations,
            },
        ),
        ("argon2", Shape::from(argon2)),
        (
            "scrypt",
            Shape::Scrypt {
                log_n: 14,
                block: 8,
                parallel: 5,
            },
        ),
        (
            "bcrypt_sha256",
            Shape::Bcrypt {
                sha256: true,
                minor: b'b',
                rounds: 12,
            },
        ),
    ];
    r.parsed("accounts.django.hasher", Seen::Whole, |text| one_of(text, &kinds))
}

impl DjangoAccounts {
    /// What a store takes.
    pub(crate) fn user_table(&self, locale: &str) -> UserTable {
        let columns = UserColumns {
            default_locale: locale.to_owned(),
            ..self.columns.clone()
        };
        // The names were tried when they were read.
        match DjangoTable::new(columns) {
            Ok(table) => UserTable::Django(Arc::new(table)),
            Err(_) => UserTable::Own,
        }
    }
}
