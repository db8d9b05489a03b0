//! The data folder and the secret in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::Config;
use super::read_tokens::MIN_SECRET;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The folder or the file can't be read or made.
    #[error("{path}: {source}; check data_dir and who may write there")]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds fewer than 32 bytes.
    #[error(
        "{path} holds {length} bytes and must hold 32 or more; restore it from a backup (a new one ends all sessions)"
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// What it holds.
        length: usize,
    },
    /// Others may read it.
    #[error(
        "{path} can be read by others (mode {mode:o}); run `chmod 600 {path}`, and think about who has read it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The system gave no random bytes.
    #[error("no random bytes from the system: {0}")]
    Random(getrandom::Error),
}

/// Makes `data_dir`, for its owner only. One that exists is left as it is.
pub fn make_data_dir(config: &Config) -> Result<(), SecretError> {
    make_private_dir(&config.data_dir).map_err(|source| io_error(&config.data_dir, source))
}

/// Makes a folder, and those above it that are missing, for its owner only.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// `tokens.secret` if it is given, else the content of `secret` in `data_dir`, which is made if there is none:
/// 48 random bytes as text, mode 0600. Always 32 bytes or more. Of two processes that start at once, both get
/// what the first one wrote.
pub fn load_or_make_secret(config: &Config) -> Result<SecretString, SecretError> {
    if let Some(secret) = &config.tokens.secret {
        return Ok(secret.clone());
    }
    let path = config.data_dir.join("secret");
    match read(&path) {
        Err(SecretError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            make_data_dir(config)?;
            make(&config.data_dir, &path)?;
            read(&path)
        }
        other => other,
    }
}

fn read(path: &Path) -> Result<SecretString, SecretError> {
    let text = fs::read_to_string(path).map_err(|source| io_error(path, source))?;
    let mode = fs::metadata(path)
        .map_err(|source| io_error(path, source))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Open {
            path: path.to_path_buf(),
            mode,
        });
    }
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.len() < MIN_SECRET {
        return Err(SecretError::Short {
            path: path.to_path_buf(),
            length: secret.len(),
        });
    }
    Ok(secret.into())
}

/// Written whole under another name and then linked into place, which fails if somebody else was first: nobody
/// ever sees half a secret, and nobody's is replaced.
fn make(dir: &Path, path: &Path) -> Result<(), SecretError> {
    let mut bytes = [0_u8; 48];
    getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
    let mut name = [0_u8; 8];
    getrandom::fill(&mut name).map_err(SecretError::Random)?;
    let draft = dir.join(format!(".secret.{:x}", u64::from_ne_bytes(name)));
    let written = write(&draft, &BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // The draft goes in any case; that it may not exist is fine.
    drop(fs::remove_file(&draft));
    linked
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(|source| io_error(path, source))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn io_error(path: &Path, source: io::Error) -> SecretError {
    SecretError::Io {
        path: path.to_path_buf(),
        source,
    }
}
