//! `md5$<salt>$<hex>`, `sha1$<salt>$<hex>`, and the two without a salt: of Django's test settings and of its
//! first years. Compared only where `accounts.legacy_hashes` says so.

use std::fmt;

use md5::{Digest as _, Md5};

use super::bcrypt::hex;
use super::{NotAHash, Shape, StoredHash, salt_text, text_salt};

/// Which digest, and how it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plain {
    /// `md5$<salt>$<hex>`.
    Md5,
    /// `md5$$<hex>`.
    UnsaltedMd5,
    /// 32 hexadecimal digits and nothing else.
    BareMd5,
    /// `sha1$<salt>$<hex>`.
    Sha1,
    /// `sha1$$<hex>`.
    UnsaltedSha1,
}

impl Plain {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::UnsaltedMd5 | Self::BareMd5 => "unsalted_md5",
            Self::Sha1 => "sha1",
            Self::UnsaltedSha1 => "unsalted_sha1",
        }
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Md5 | Self::UnsaltedMd5 | Self::BareMd5 => 16,
            Self::Sha1 | Self::UnsaltedSha1 => 20,
        }
    }
}

pub(super) fn parse(kind: &str, text: &str) -> Result<StoredHash, NotAHash> {
    let (plain, salt, hash) = match (kind, text.split_once('$')) {
        ("md5", Some(("", hash))) => (Plain::UnsaltedMd5, "", hash),
        ("md5", Some((salt, hash))) => (Plain::Md5, salt, hash),
        ("sha1", Some(("", hash))) => (Plain::UnsaltedSha1, "", hash),
        ("sha1", Some((salt, hash))) => (Plain::Sha1, salt, hash),
        ("", None) => (Plain::BareMd5, "", text),
        _ => return Err(NotAHash("its kind is not known here")),
    };
    let hash = unhex(hash)
        .filter(|hash| hash.len() == plain.bytes())
        .ok_or(NotAHash("its hash is not hexadecimal"))?;
    Ok(StoredHash {
        shape: Shape::Plain(plain),
        salt: if salt.is_empty() {
            Vec::new()
        } else {
            text_salt(salt)?
        },
        hash,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // Small letters only, as they are compared by Django.
    if text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

pub(super) fn derive(plain: Plain, password: &[u8], salt: &[u8], hash: &mut [u8]) {
    let salted = [salt, password].concat();
    let digest = match plain {
        Plain::Md5 | Plain::UnsaltedMd5 | Plain::BareMd5 => Md5::digest(&salted).to_vec(),
        Plain::Sha1 | Plain::UnsaltedSha1 => {
            ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &salted)
                .as_ref()
                .to_vec()
        }
    };
    for (to, from) in hash.iter_mut().zip(digest) {
        *to = from;
    }
}

pub(super) fn write(f: &mut fmt::Formatter<'_>, plain: Plain, salt: &[u8], hash: &[u8]) -> fmt::Result {
    let (salt, hash) = (salt_text(salt), hex(hash));
    match plain {
        Plain::Md5 => write!(f, "md5${salt}${hash}"),
        Plain::UnsaltedMd5 => write!(f, "md5$${hash}"),
        Plain::BareMd5 => f.write_str(&hash),
        Plain::Sha1 => write!(f, "sha1${salt}${hash}"),
        Plain::UnsaltedSha1 => write!(f, "sha1$${hash}"),
    }
}
