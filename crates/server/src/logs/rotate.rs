//! A file that is turned over when it is full: `app.log`, `app.log.1` (younger) to `app.log.5` (older).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::make_private_dir;

/// 10 MiB: opened by any editor.
pub(super) const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// How many old ones are kept.
pub(super) const KEPT: u32 = 5;

/// The file, for its owner only. Each write is one line, never cut in two by the turn.
pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
    kept: u32,
}

impl Rotating {
    /// Opens it at its end, and makes its folder if there is none.
    pub(super) fn open(path: &Path, max_bytes: u64, kept: u32) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            make_private_dir(folder)?;
        }
        let file = open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            max_bytes,
            kept,
        })
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn turn(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            ignore_missing(fs::rename(self.numbered(number), self.numbered(number + 1)))?;
        }
        ignore_missing(fs::rename(&self.path, self.numbered(1)))?;
        self.file = open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.bytes > 0 && self.bytes + length > self.max_bytes {
            self.turn()?;
        }
        self.file.write_all(line)?;
        self.bytes += length;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_turns_over_between_lines_and_keeps_so_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/app.log");
        let mut log = Rotating::open(&path, 40, 2).unwrap();
        for number in 0..12 {
            writeln_one(&mut log, &format!("line number {number:02}"));
        }
        drop(log);
        let mut log = Rotating::open(&path, 40, 2).unwrap();
        writeln_one(&mut log, "after a restart");
        let mut names: Vec<_> = fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["app.log", "app.log.1", "app.log.2"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "after a restart\n");
        let older = fs::read_to_string(dir.path().join("logs/app.log.1")).unwrap();
        assert_eq!(older, "line number 10\nline number 11\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    fn writeln_one(log: &mut Rotating, line: &str) {
        log.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
