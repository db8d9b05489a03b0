//! A PostgreSQL of one's own, which can be killed.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

/// A private server with `fsync` on, as a real one has it; ended, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    port: u16,
    child: Option<Child>,
}

impl Postgres {
    /// Sets one up in a folder of its own, and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        let programs = programs().expect("PostgreSQL's initdb and postgres; ./scripts/test installs them");
        let folder = TempDir::with_prefix("gatepost-postgres-").expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("our own folder");
        let data = folder.path().join("db");
        fs::create_dir(&data).expect("a folder");
        fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("our own folder");
        // PostgreSQL refuses to run as root.
        let owner = (id("-u", None) == Some(0)).then(|| {
            let user = ["postgres", "nobody"].into_iter().find_map(|user| {
                let user = Some(user);
                Some((id("-u", user)?, id("-g", user)?))
            });
            user.expect("a user postgres or nobody")
        });
        if let Some((user, group)) = owner {
            chown(&data, Some(user), Some(group)).expect("root may give it away");
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a free port")
            .port();
        let mut postgres = Self {
            folder,
            programs,
            owner,
            port,
            child: None,
        };
        let made = postgres
            .program("initdb")
            .args([
                "-U",
                "gatepost",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        postgres.restart();
        postgres
    }

    /// `postgres://gatepost@127.0.0.1:port/postgres`.
    pub fn url(&self) -> String {
        format!("postgres://gatepost@{}/postgres", self.address())
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL to the postmaster; the other processes see that it is gone, and end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Starts it (again) over the same data, and waits until it answers.
    #[track_caller]
    pub fn restart(&mut self) {
        let began = Instant::now();
        self.kill();
        while !self.answers() {
            // One that was killed leaves processes that hold its memory for a moment; it refuses to start beside them.
            let ended = self
                .child
                .as_mut()
                .is_none_or(|child| child.try_wait().is_ok_and(|ended| ended.is_some()));
            if ended {
                self.child = Some(self.spawn());
            }
            assert!(
                began.elapsed() < PATIENCE,
                "PostgreSQL does not answer: {}",
                fs::read_to_string(self.log()).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it takes connections.
    pub fn answers(&self) -> bool {
        let asked = self
            .program("pg_isready")
            .args(["-q", "-h", "127.0.0.1", "-t", "1", "-p"])
            .arg(self.port.to_string())
            .status();
        self.child.is_some() && asked.is_ok_and(|status| status.success())
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.expect("the folder takes a file");
        self.program("postgres")
            .arg("-D")
            .arg(self.folder.path().join("db"))
            .args(["-p", &self.port.to_string(), "-k", ""])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"])
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("postgres starts")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        // Its other processes write until they notice, and would keep the folder from being deleted.
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Where the newest PostgreSQL's programs are.
fn programs() -> Option<PathBuf> {
    let has = |folder: &Path| {
        ["initdb", "postgres", "pg_isready", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .chain(
            std::env::var_os("PATH")
                .iter()
                .flat_map(std::env::split_paths)
                .collect::<Vec<_>>(),
        )
        .filter(|folder| has(folder))
        .collect();
    found.sort();
    found.pop()
}

fn id(what: &str, user: Option<&str>) -> Option<u32> {
    let told = Command::new("id").arg(what).args(user).output().ok()?;
    String::from_utf8(told.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_was_told_when_it_is_killed() {
        let mut postgres = Postgres::start();
        let ask = |postgres: &Postgres, sql: &str| {
            let asked = postgres
                .program("psql")
                .args(["-At", "-c", sql, &postgres.url()])
                .output()
                .unwrap();
            String::from_utf8(asked.stdout).unwrap().trim().to_owned()
        };
        ask(&postgres, "CREATE TABLE told AS SELECT 7 AS n");
        assert_eq!(ask(&postgres, "SHOW fsync"), "on");
        postgres.kill();
        assert!(!postgres.answers());
        postgres.restart();
        assert_eq!(ask(&postgres, "SELECT n FROM told"), "7");
    }
}
