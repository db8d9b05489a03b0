//! A throw-away instance: this very executable, run in a temporary folder with nothing configured.

use std::fs::{self, DirBuilder, File};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::traveller::random;

/// A start is a matter of milliseconds; a machine that compiles beside it needs more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ended, and its folder deleted, by [`Instance::end`] or when it is dropped.
pub(super) struct Instance {
    base: String,
    key: String,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    folder: PathBuf,
}

impl Instance {
    /// Starts it and waits until it is ready; the error says why it is not.
    pub(super) fn start(stop: &CancellationToken) -> Result<Self, String> {
        let executable =
            std::env::current_exe().map_err(|e| format!("this program does not find itself: {e}"))?;
        let name = random().map_err(|unmet| unmet.came)?;
        let folder = std::env::temp_dir().join(format!("gatepost-tour-{name}"));
        // Nobody else on this machine may read its secret.
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        Self::start_in(&executable, &folder, stop).inspect_err(|_| {
            let _ = fs::remove_dir_all(&folder);
        })
    }

    fn start_in(executable: &Path, folder: &Path, stop: &CancellationToken) -> Result<Self, String> {
        let io = |e: std::io::Error| format!("cannot start {}: {e}", executable.display());
        // Found, let go and taken again: the program is told its port like everybody's, and the tour knows it.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .map_err(io)?
            .port();
        let bind = format!("127.0.0.1:{port}");
        let base = format!("http://{bind}");
        // Everything else is the default; the data lies in `gatepost-data` below the working directory.
        fs::write(
            folder.join("gatepost.toml"),
            format!("[http]\nbind = \"{bind}\"\n"),
        )
        .map_err(io)?;
        let words = File::create(folder.join("words.txt")).map_err(io)?;
        let child = command(executable, folder)
            .arg("serve")
            .stdout(words.try_clone().map_err(io)?)
            .stderr(words)
            .spawn()
            .map_err(io)?;
        let mut running = Running {
            child,
            folder: folder.to_owned(),
        };
        running.wait(&base, stop)?;
        let key = running.key(executable)?;
        Ok(Self {
            base,
            key,
            running: Mutex::new(Some(running)),
        })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Ends it; a second time does nothing.
    pub(super) fn end(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        drop(running);
    }
}

impl Running {
    fn wait(&mut self, base: &str, stop: &CancellationToken) -> Result<(), String> {
        let client = Client::new(base);
        let began = Instant::now();
        loop {
            if client
                .get("/readyz", None)
                .is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            if stop.is_cancelled() {
                return Err("interrupted".to_owned());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!(
                    "the throw-away instance ended at its start ({status}): {}",
                    self.words()
                ));
            }
            if began.elapsed() > PATIENCE {
                let waited = PATIENCE.as_secs();
                return Err(format!(
                    "the throw-away instance is not ready after {waited} s: {}",
                    self.words()
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// An API key that may read the capture box.
    fn key(&self, executable: &Path) -> Result<String, String> {
        let output = command(executable, &self.folder)
            .args(["apikey", "create", "tour", "--scope", "mail:read", "--json"])
            .output()
            .map_err(|e| format!("cannot make an API key: {e}"))?;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        told["key"].as_str().map(str::to_owned).ok_or_else(|| {
            format!(
                "cannot make an API key: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )
        })
    }

    /// The last line that it said.
    fn words(&self) -> String {
        let words = fs::read_to_string(self.folder.join("words.txt")).unwrap_or_default();
        words
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it said nothing")
            .trim()
            .to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing in it is worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// This program in that folder, deaf to the configuration of whoever takes the tour.
fn command(executable: &Path, folder: &Path) -> Command {
    let mut command = Command::new(executable);
    command
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .arg("--config")
        .arg(folder.join("gatepost.toml"));
    command
}
