//! Signing letters (DKIM, RFC 6376), with RSA (rsa-sha256) and Ed25519 (RFC 8463), relaxed/relaxed.
//!
//! Most mail servers sign what they pass on; this is for those that don't.

mod canon;
mod key;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use canon::{Headers, body, field};
use key::Key;

/// What is signed of the header, if it is there.
const SIGNED: [&str; 17] = [
    "from",
    "to",
    "cc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "x-entity-ref-id",
];
/// What is named once more than it is there: nobody can add a second one without breaking the signature
/// (RFC 6376 8.15).
const ONCE: [&str; 7] = ["from", "to", "cc", "reply-to", "subject", "date", "message-id"];

/// Signs letters with one key or several. Cheap to clone.
#[derive(Clone, Default)]
pub struct Dkim {
    signers: Arc<Vec<Signer>>,
}

struct Signer {
    domain: String,
    selector: String,
    key: Key,
}

/// Why letters cannot be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DkimError {
    /// The key file cannot be read.
    #[error("the DKIM key {} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not a private key in PEM, or one of a kind or size that nobody verifies.
    #[error("not an RSA key of 2048 to 4096 bits nor an Ed25519 key, as PEM (openssl genpkey makes one)")]
    Key,
    /// A domain or selector that no DNS record can have.
    #[error("{0:?} is no name of a DNS record")]
    Name(String),
    /// The message has no header, or no `From`.
    #[error("what is to be signed is no message")]
    Message,
    /// Signing itself failed: no randomness.
    #[error("the signature could not be made")]
    Sign,
}

impl Dkim {
    /// Signs with a further key from a PEM file; its public half stands at
    /// `<selector>._domainkey.<domain>`, see [`records`](Self::records).
    pub fn with_file(self, domain: &str, selector: &str, path: &Path) -> Result<Self, DkimError> {
        let pem = std::fs::read(path).map_err(|source| DkimError::File {
            path: path.to_owned(),
            source,
        })?;
        self.with_pem(domain, selector, &pem)
    }

    /// The same from the PEM itself (PKCS #8, or PKCS #1 for RSA).
    pub fn with_pem(self, domain: &str, selector: &str, pem: &[u8]) -> Result<Self, DkimError> {
        for name in [domain, selector] {
            let plain = |label: &str| {
                !label.is_empty()
                    && label.len() <= 63
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            };
            if !name.split('.').all(plain) {
                return Err(DkimError::Name(name.to_owned()));
            }
        }
        let signer = Signer {
            domain: domain.to_ascii_lowercase(),
            selector: selector.to_ascii_lowercase(),
            key: Key::from_pem(pem)?,
        };
        let mut signers = Arc::try_unwrap(self.signers).unwrap_or_else(|shared| (*shared).clone());
        signers.push(signer);
        Ok(Self {
            signers: Arc::new(signers),
        })
    }

    /// Whether there is no key to sign with.
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// The DNS records (TXT) that verifiers look for: name and content of each.
    pub fn records(&self) -> Vec<(String, String)> {
        let record = |signer: &Signer| {
            let name = format!("{}._domainkey.{}", signer.selector, signer.domain);
            (name, signer.key.record())
        };
        self.signers.iter().map(record).collect()
    }

    /// The message with its signatures before it. `at` is the time of signing, in seconds since the epoch.
    ///
    /// The message's lines end with CRLF, as [`Post::build`](crate::Post::build) makes them.
    pub fn sign(&self, message: &[u8], at: i64) -> Result<Vec<u8>, DkimError> {
        if self.signers.is_empty() {
            return Ok(message.to_vec());
        }
        let (headers, content) = Headers::split(message).ok_or(DkimError::Message)?;
        if !headers.has("from") {
            return Err(DkimError::Message);
        }
        let body_hash = STANDARD.encode(Sha256::digest(body(content)));
        let mut signed = Vec::with_capacity(message.len() + self.signers.len() * 900);
        for signer in self.signers.iter() {
            signed.extend_from_slice(signer.header(&headers, &body_hash, at)?.as_bytes());
        }
        signed.extend_from_slice(message);
        Ok(signed)
    }
}

impl Signer {
    fn header(&self, headers: &Headers<'_>, body_hash: &str, at: i64) -> Result<String, DkimError> {
        let mut names = Vec::new();
        for name in SIGNED {
            let times = headers.count(name) + usize::from(ONCE.contains(&name));
            names.extend(std::iter::repeat_n(name, times));
        }
        let mut header = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={at};\r\n\th={};\r\n\tbh={body_hash};\r\n\tb=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            folded_names(&names),
        );
        let mut input = headers.canonical(&names);
        input.push_str(&field(&header).ok_or(DkimError::Message)?);
        let signature = STANDARD.encode(self.key.sign(input.as_bytes())?);
        // A verifier takes white space out of it.
        let mut rest = signature.as_str();
        while rest.len() > LINE {
            let (line, more) = rest.split_at(LINE);
            header.push_str(line);
            header.push_str("\r\n\t");
            rest = more;
        }
        header.push_str(rest);
        header.push_str("\r\n");
        Ok(header)
    }
}

/// Characters of a signature in one line.
const LINE: usize = 72;

/// `from:to:...`, cut into lines that every server lets pass.
fn folded_names(names: &[&str]) -> String {
    let mut text = String::new();
    let mut width = 3;
    for (nth, name) in names.iter().enumerate() {
        if nth > 0 {
            text.push(':');
            if width + name.len() > LINE {
                text.push_str("\r\n\t ");
                width = 2;
            }
        }
        text.push_str(name);
        width += name.len() + 1;
    }
    text
}

impl Clone for Signer {
    fn clone(&self) -> Self {
        Self {
            domain: self.domain.clone(),
            selector: self.selector.clone(),
            key: self.key.clone(),
        }
    }
}

/// The keys by their names only.
impl fmt::Debug for Dkim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .signers
            .iter()
            .map(|s| format!("{}._domainkey.{}", s.selector, s.domain));
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests;
