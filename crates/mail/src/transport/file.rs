//! Letters as `.eml` files in a folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{Accepted, Phase, SendError, TransportError};

/// A folder that letters are written into, `<id>.eml` each.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder if it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, TransportError> {
        fs::create_dir_all(path).map_err(|source| TransportError::File {
            what: format!("file:{}", path.display()),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Writes a letter so that it is there whole or not at all, also after a power cut.
    ///
    /// The name comes from the delivery, so the same letter written twice is one file.
    pub(super) async fn put(&self, id: Uuid, message: &[u8]) -> Result<Accepted, SendError> {
        let (folder, message) = (self.path.clone(), message.to_vec());
        let written = tokio::task::spawn_blocking(move || write(&folder, id, &message)).await;
        match written.map_err(io::Error::other).flatten() {
            Ok(name) => Ok(Accepted {
                code: 250,
                text: format!("written to {name}"),
            }),
            // A full or missing disk is nothing that the letter did.
            Err(error) => Err(SendError::Server {
                phase: Phase::Store,
                detail: error.to_string(),
            }),
        }
    }
}

fn write(folder: &Path, id: Uuid, message: &[u8]) -> io::Result<String> {
    let name = format!("{id}.eml");
    let unfinished = folder.join(format!(".{name}.part"));
    let mut file = File::create(&unfinished)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(&name))?;
    // The new name is only safe once the folder is on the disk too.
    File::open(folder)?.sync_all()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_letter_is_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = Folder::open(&folder.path().join("out")).unwrap();
        target.put(Uuid::from_u128(1), b"one").await.unwrap();
        target.put(Uuid::from_u128(1), b"one").await.unwrap();
        target.put(Uuid::from_u128(2), b"two").await.unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path().join("out"))
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                format!("{}.eml", Uuid::from_u128(1)),
                format!("{}.eml", Uuid::from_u128(2))
            ]
        );
    }

    #[tokio::test]
    async fn a_folder_that_vanished_is_the_servers_fault() {
        let folder = tempfile::tempdir().unwrap();
        let target = Folder::open(&folder.path().join("out")).unwrap();
        fs::remove_dir(folder.path().join("out")).unwrap();
        let error = target.put(Uuid::from_u128(1), b"one").await.unwrap_err();
        assert!(matches!(
            error,
            SendError::Server {
                phase: Phase::Store,
                ..
            }
        ));
    }
}
