//! Whom the token of a letter's link names: one of ours, or one that Django sent before the accounts moved here.
//!
//! Links of the Python services are JWTs (`tokens.accept`), whose `user_id` is Django's key. Those of
//! `PasswordResetTokenGenerator` (djoser's, the admin's) are `<uid>:<token>` here: an HMAC over what Django would
//! notice a change of, so that they die by themselves with the password and with the next login.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use gatepost_storage::users::{self, UserRow};
use gatepost_storage::{Timestamp, Tx, UserId, blacklist};
use gatepost_tokens::{Purpose, Refused};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::config::DjangoAccounts;
use crate::http::Problem;
use crate::http::token::RawToken;

/// Django counts from 2001-01-01.
const EPOCH: i64 = 978_307_200;
/// It counts in local time: an hour may come or go while a letter is on its way.
const SUMMER: i64 = 3_600;

/// Whom the link names, if it counts. Uses nothing up.
pub(super) async fn look<P: Purpose>(app: &App, token: &RawToken) -> Result<UserId, Problem> {
    let named = match DjangoLink::parse(token.expose()) {
        Some(_) => None,
        None => Some(app.tokens.peek::<P>(token.expose()).await?.subject::<UserId>()?),
    };
    let (parts, raw) = (app.clone(), token.clone());
    app.store
        .read("look_at_link", move |tx| {
            let (app, raw) = (parts.clone(), raw.clone());
            Box::pin(async move {
                match named {
                    Some(id) => resolved(tx, id).await,
                    None => Ok(django(&app, tx, &raw).await?.id),
                }
            })
        })
        .await
}

/// Whom the link names; from here on it is used up, if the transaction commits.
pub(super) async fn use_up<P: Purpose>(
    app: &App,
    tx: &mut Tx<'_>,
    token: &RawToken,
) -> Result<UserId, Problem> {
    if DjangoLink::parse(token.expose()).is_none() {
        let id = app
            .tokens
            .verify_in::<P>(tx, token.expose())
            .await?
            .subject::<UserId>()?;
        return resolved(tx, id).await;
    }
    let Django { id, jti, until } = django(app, tx, token).await?;
    if blacklist::insert(tx, &jti, "used", until).await? {
        Ok(id)
    } else {
        Err(Refused::Used.into())
    }
}

/// Whom a link names that counted once.
pub(crate) async fn named<P: Purpose>(app: &App, token: &RawToken) -> Option<UserId> {
    let id = match DjangoLink::parse(token.expose()) {
        Some(link) => link.uid,
        None => app.tokens.named_by::<P>(token.expose())?.parse().ok()?,
    };
    app.store
        .read("named_by_link", move |tx| Box::pin(users::resolve(tx, id)))
        .await
        .ok()
        .flatten()
}

async fn resolved(tx: &mut Tx<'_>, id: UserId) -> Result<UserId, Problem> {
    users::resolve(tx, id)
        .await?
        .ok_or_else(|| Refused::Revoked.into())
}

/// A link of Django's that counts.
struct Django {
    id: UserId,
    jti: String,
    /// Until when it could be shown again.
    until: Timestamp,
}

async fn django(app: &App, tx: &mut Tx<'_>, token: &RawToken) -> Result<Django, Problem> {
    let link = DjangoLink::parse(token.expose()).ok_or(Refused::Malformed)?;
    let config = &app.config.accounts.django;
    let id = resolved(tx, link.uid).await?;
    let user = users::get(tx, id).await?.ok_or(Refused::Revoked)?;
    let until = link.check(&user, config, tx.now())?;
    let jti = link.jti();
    match blacklist::reason(tx, &jti).await?.as_deref() {
        None => Ok(Django { id, jti, until }),
        Some("used") => Err(Refused::Used.into()),
        Some(_) => Err(Refused::Revoked.into()),
    }
}

/// `<uid>:<seconds in base 36>-<half of an HMAC>`.
struct DjangoLink<'a> {
    uid: UserId,
    seconds: i64,
    mac: &'a str,
}

impl<'a> DjangoLink<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (uid, token) = text.split_once(':')?;
        let uid = URL_SAFE.decode(padded(uid)).ok()?;
        let uid = std::str::from_utf8(&uid).ok()?.parse().ok()?;
        let (seconds_text, mac) = token.split_once('-')?;
        // Django's own bound is 13 characters; that many of base 36 fit no i64, and 8 last until 2090.
        let is_base36 = seconds_text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        // A zero in front would be another text for the same link, which could then be used twice.
        if !is_base36 || seconds_text.len() > 8 || seconds_text.starts_with('0') || mac.len() != 32 {
            return None;
        }
        let seconds = i64::from_str_radix(seconds_text, 36).ok()?;
        Some(Self { uid, seconds, mac })
    }

    /// Such a link has no id of its own.
    fn jti(&self) -> String {
        let digest = Sha256::digest(format!("{} {} {}", self.uid, self.seconds, self.mac));
        format!("django:{}", URL_SAFE_NO_PAD.encode(digest))
    }

    /// Until when it counts, if it does.
    fn check(&self, user: &UserRow, config: &DjangoAccounts, now: Timestamp) -> Result<Timestamp, Refused> {
        if config.link_secrets.is_empty() {
            return Err(Refused::Malformed);
        }
        let fits = |secret: &SecretString| {
            let expected = self.expected(user, secret);
            bool::from(expected.as_bytes().ct_eq(self.mac.as_bytes()))
        };
        if !config.link_secrets.iter().any(fits) {
            // Another password by now, or a login since: as dead as if it had been used.
            return Err(Refused::Revoked);
        }
        let age = now.as_secs() + config.utc_offset - EPOCH - self.seconds;
        let lifetime = i64::try_from(config.link_lifetime.as_secs()).unwrap_or(i64::MAX / 2);
        if !(-SUMMER..=lifetime + SUMMER).contains(&age) {
            return Err(Refused::Expired);
        }
        Ok(Timestamp::from_secs(now.as_secs() + lifetime + 2 * SUMMER - age))
    }

    /// `PasswordResetTokenGenerator._make_token_with_timestamp`: every second digit.
    fn expected(&self, user: &UserRow, secret: &SecretString) -> String {
        let login = user.last_login_at.map_or(String::new(), |at| {
            jiff::Timestamp::from_second(at.as_secs())
                .map_or(String::new(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
        });
        let value = format!(
            "{}{}{login}{}{}",
            self.uid, user.password, self.seconds, user.email
        );
        let key = Sha256::new()
            .chain_update("django.contrib.auth.tokens.PasswordResetTokenGenerator")
            .chain_update(secret.expose_secret())
            .finalize();
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        mac.update(value.as_bytes());
        let digits = mac.finalize().into_bytes();
        digits
            .iter()
            .filter_map(|byte| char::from_digit(u32::from(byte >> 4), 16))
            .collect()
    }
}

/// Django leaves the padding away.
fn padded(text: &str) -> String {
    let mut text = text.to_owned();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// The two parts of Django's links in one, as this program takes them; without a `uid` the token as it is.
pub(crate) fn whole(uid: Option<&str>, token: RawToken) -> RawToken {
    match uid {
        Some(uid) => format!("{uid}:{}", token.expose()).into(),
        None => token,
    }
}
