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
/// One secret for all: instances and programs over one database need the same.
pub const SECRET: &str = "outside-secret-0123456789abcdefghijklmnopqrstuvwxyz";

/// What an instance is told.
#[derive(Debug, Clone)]
pub struct Setup {
    executable: PathBuf,
    /// Dotted key and its value as TOML.
    settings: Vec<(String, String)>,
    role: Option<String>,
}

/// A running instance; killed, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct Instance {
    executable: PathBuf,
    folder: TempDir,
    port: u16,
    role: Option<String>,
    child: Option<Child>,
    starts: AtomicU32,
    fault: Option<String>,
}

impl Setup {
    /// The executable with nothing configured but a free port, on SQLite, with captured mail.
    pub fn new(executable: impl Into<PathBuf>) -> Self {
        Self {
            executable: executable.into(),
            settings: Vec::new(),
            role: None,
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

    /// Messages go over this RabbitMQ.
    #[must_use]
    pub fn rabbitmq(self, url: &str) -> Self {
        self.set("broker.url", format!("{url:?}"))
    }

    /// Instances share this Redis.
    #[must_use]
    pub fn redis(self, url: &str) -> Self {
        self.set("cache.url", format!("{url:?}"))
    }

    /// Mail goes to this SMTP server instead of the capture box.
    #[must_use]
    pub fn smtp(self, port: u16) -> Self {
        self.set("mail.transport", format!("\"smtp://127.0.0.1:{port}?tls=none\""))
            .set("http.public_url", "\"http://gatepost.test\"")
    }

    /// Only these roles, `api`, `worker`, `dispatcher`, with commas between; all without it.
    #[must_use]
    pub fn role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// What a key was set to, as TOML text.
    pub fn setting(&self, key: &str) -> Option<&str> {
        let last = self.settings.iter().rfind(|(known, _)| known == key);
        last.map(|(_, value)| value.as_str())
    }

    /// Starts an instance and waits until it is ready.
    #[track_caller]
    pub fn start(&self) -> Instance {
        let mut instance = self.prepare();
        instance.restart();
        instance
    }

    /// An instance with its folder and port that does not run yet.
    #[track_caller]
    pub fn prepare(&self) -> Instance {
        let folder = TempDir::with_prefix("gatepost-outside-").expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a free port")
            .port();
        let mut toml = format!("http.bind = \"127.0.0.1:{port}\"\ntokens.secret = \"{SECRET}\"\n");
        for (nth, (key, value)) in self.settings.iter().enumerate() {
            // The last word about a key counts.
            if !self.settings[nth + 1..].iter().any(|(later, _)| later == key) {
                toml.extend([key.as_str(), " = ", value.as_str(), "\n"]);
            }
        }
        fs::write(folder.path().join("gatepost.toml"), toml).expect("the folder takes a file");
        let executable = fs::canonicalize(&self.executable)
            .unwrap_or_else(|e| panic!("{}: {e}", self.executable.display()));
        Instance {
            executable,
            folder,
            port,
            role: self.role.clone(),
            child: None,
            starts: AtomicU32::new(0),
            fault: None,
        }
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
        let began = Instant::now();
        self.spawn();
        loop {
            if self.is_ready() {
                return began.elapsed();
            }
            if let Some(status) = self.ended() {
                panic!("it ended at its start with {status}: {}", self.said());
            }
            assert!(
                began.elapsed() < PATIENCE,
                "it is not ready after {PATIENCE:?}: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where the next starts die (`GATEPOST_FAULT`; needs an executable with the feature `testing`). Commands of
    /// the command line are spared.
    pub fn set_fault(&mut self, at: Option<&str>) {
        self.fault = at.map(str::to_owned);
    }

    /// Starts it (again) over the same folder and does not wait for anything.
    pub fn spawn(&mut self) {
        self.kill();
        self.starts.fetch_add(1, Ordering::Relaxed);
        let out = File::create(self.words()).expect("the folder takes a file");
        let mut command = self.command();
        command.arg("serve");
        if let Some(fault) = &self.fault {
            command.env("GATEPOST_FAULT", fault);
        }
        if let Some(role) = &self.role {
            command.args(["--role", role]);
        }
        let child = command
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .spawn()
            .expect("the executable starts");
        self.child = Some(child);
    }

    /// Whether `/readyz` says so.
    pub fn is_ready(&self) -> bool {
        self.client()
            .try_send("GET", "/readyz", None)
            .is_ok_and(|answer| answer.status == 200)
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
    }

    /// What it wrote on its terminal since its last start.
    pub fn said(&self) -> String {
        fs::read_to_string(self.words()).unwrap_or_default()
    }

    fn words(&self) -> PathBuf {
        let nth = self.starts.load(Ordering::Relaxed);
        self.folder.path().join(format!("words-{nth}.txt"))
    }

    /// Memory that it holds (`VmRSS`), in bytes.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kibibytes.expect("a process has a size") * 1024
    }

    /// Sends it a signal by name: `STOP`, `CONT`, `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        super::signal(self.pid(), name);
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
        super::signal(child.id(), "TERM");
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
