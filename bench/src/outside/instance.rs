//! One process of the executable, in a folder of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::Client;

/// How long a start may take on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_mins(1);
/// One secret for all: instances over one database need the same.
const SECRET: &str = "outside-secret-0123456789abcdefghijklmnopqrstuvwxyz";

/// What an instance is told.
#[derive(Debug, Clone)]
pub struct Setup {
    executable: PathBuf,
    /// Dotted key and its value as TOML.
    settings: Vec<(String, String)>,
}

/// A running instance; killed, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct Instance {
    executable: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    starts: AtomicU32,
}

impl Setup {
    /// The executable with nothing configured but a free port, on SQLite, with captured mail.
    pub fn new(executable: impl Into<PathBuf>) -> Self {
        Self {
            executable: executable.into(),
            settings: Vec::new(),
        }
    }

    /// A configuration key, dotted, and its value as TOML text.
    #[must_use]
    pub fn set(mut self, key: &str, toml: impl Into<String>) -> Self {
        self.settings.push((key.to_owned(), toml.into()));
        self
    }

    /// No rate limits: one client plays many.
    #[must_use]
    pub fn unlimited(self) -> Self {
        self.set("limits.enabled", "false")
    }

    /// On this PostgreSQL database, in a schema of its own; every instance of this setup shares it.
    #[must_use]
    pub fn postgres(self, url: &str) -> Self {
        let schema = format!("outside_{:016x}", getrandom::u64().expect("random bytes"));
        self.set("storage.url", format!("{url:?}"))
            .set("storage.schema", format!("{schema:?}"))
            .set("storage.migrate", "\"auto\"")
    }

    /// Mail goes to this SMTP server instead of the capture box.
    #[must_use]
    pub fn smtp(self, port: u16) -> Self {
        self.set("mail.transport", format!("\"smtp://127.0.0.1:{port}?tls=none\""))
            .set("http.public_url", "\"http://gatepost.test\"")
    }

    /// Starts an instance and waits until it is ready.
    #[track_caller]
    pub fn start(&self) -> Instance {
        let folder = TempDir::with_prefix("gatepost-outside-").expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a free port")
            .port();
        let mut toml = format!("http.bind = \"127.0.0.1:{port}\"\ntokens.secret = \"{SECRET}\"\n");
        for (key, value) in &self.settings {
            toml.extend([key.as_str(), " = ", value.as_str(), "\n"]);
        }
        fs::write(folder.path().join("gatepost.toml"), toml).expect("the folder takes a file");
        let executable = fs::canonicalize(&self.executable)
            .unwrap_or_else(|e| panic!("{}: {e}", self.executable.display()));
        let mut instance = Instance {
            executable,
            folder,
            port,
            child: None,
            starts: AtomicU32::new(0),
        };
        instance.restart();
        instance
    }
}

impl Instance {
    /// `http://127.0.0.1:port`.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client with connections of its own.
    pub fn client(&self) -> Client {
        Client::new(&self.base())
    }

    /// Its working directory; the data lies in `gatepost-data` below.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id; panics if it does not run.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Starts it (again) over the same folder, and waits until it is ready; gives the time to its first
    /// answer.
    #[track_caller]
    pub fn restart(&mut self) -> Duration {
        self.kill();
        let words = self.folder.path().join(format!(
            "words-{}.txt",
            self.starts.fetch_add(1, Ordering::Relaxed)
        ));
        let out = File::create(&words).expect("the folder takes a file");
        let began = Instant::now();
        let child = self
            .command()
            .arg("serve")
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .spawn()
            .expect("the executable starts");
        self.child = Some(child);
        let client = self.client();
        loop {
            if client
                .try_send("GET", "/readyz", None)
                .is_ok_and(|answer| answer.status == 200)
            {
                return began.elapsed();
            }
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            let said = || fs::read_to_string(&words).unwrap_or_default();
            if let Some(status) = ended {
                panic!("it ended at its start with {status}: {}", said());
            }
            assert!(
                began.elapsed() < PATIENCE,
                "it is not ready after {PATIENCE:?}: {}",
                said()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// SIGTERM, and waits for its orderly end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", child.id())])
            .status();
        assert!(sent.expect("a shell").success(), "the signal was sent");
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("our own child can be waited for") {
                return status;
            }
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("it did not end within {PATIENCE:?} of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command of the command line against the same configuration.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("the executable runs")
    }

    /// A new API key with these scopes.
    #[track_caller]
    pub fn key(&self, scopes: &[&str]) -> String {
        let name = format!("outside-{:08x}", getrandom::u32().expect("random bytes"));
        let mut args = vec!["apikey", "create", name.as_str(), "--json"];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        let output = self.cli(&args);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let key = told["key"].as_str();
        key.unwrap_or_else(|| panic!("no key: {}", String::from_utf8_lossy(&output.stderr)))
            .to_owned()
    }

    /// The executable in this folder, deaf to the caller's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        let config = self.folder.path().join("gatepost.toml");
        command
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .arg("--config")
            .arg(config);
        command
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}
