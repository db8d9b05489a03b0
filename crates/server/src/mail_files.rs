//! Files that letters need: keys to sign with, and a picture.

use std::path::PathBuf;

use gatepost_mail::{Attachment, Dkim, DkimError};

use crate::config::Config;

/// Largest picture in bytes. It goes with every letter.
const MAX_LOGO: usize = 256 * 1024;

/// The picture of `mail.logo_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogoError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not a picture that mail programs show, or too large a one.
    #[error("{} is no PNG, JPEG or GIF of at most 256 KiB", .0.display())]
    Picture(PathBuf),
}

/// The keys of `mail.dkim`.
pub(crate) fn dkim(config: &Config) -> Result<Dkim, DkimError> {
    config.mail.dkim.iter().try_fold(Dkim::default(), |dkim, key| {
        dkim.with_file(&key.domain, &key.selector, &key.key_file)
    })
}

/// The picture of `mail.logo_file`.
pub(crate) fn logo(config: &Config) -> Result<Option<Attachment>, LogoError> {
    let Some(path) = &config.mail.logo_file else {
        return Ok(None);
    };
    let bytes = std::fs::read(path).map_err(|source| LogoError::File {
        path: path.clone(),
        source,
    })?;
    let kinds: [(&[u8], &str, &str); 3] = [
        (b"\x89PNG\r\n\x1a\n", "logo.png", "image/png"),
        (b"\xff\xd8\xff", "logo.jpg", "image/jpeg"),
        (b"GIF8", "logo.gif", "image/gif"),
    ];
    let kind = kinds.iter().find(|(magic, ..)| bytes.starts_with(magic));
    let Some((_, name, content_type)) = kind.filter(|_| bytes.len() <= MAX_LOGO) else {
        return Err(LogoError::Picture(path.clone()));
    };
    Ok(Some(Attachment {
        name: (*name).to_owned(),
        content_type: (*content_type).to_owned(),
        base64: bytes,
        cid: Some("logo".to_owned()),
    }))
}
