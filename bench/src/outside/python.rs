//! Real Python programs with a real pika, from `bench/python`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A running program of `bench/python`; ended when it is dropped.
#[derive(Debug)]
pub struct Python {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Python {
    /// Starts `bench/python/<name>` with the Python that has pika: `GATEPOST_TEST_PYTHON`, which
    /// `./scripts/test` sets, or a `python3` that can import it.
    #[track_caller]
    pub fn start(name: &str, args: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
        let mut child = Command::new(interpreter())
            .arg("-u")
            .arg(script)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (theirs, out) = (Arc::clone(&lines), child.stdout.take().expect("a pipe"));
        let reader = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                theirs.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self {
            child,
            lines,
            reader: Some(reader),
        }
    }

    /// Runs it to its end and gives its lines; panics if it takes longer than a minute, or fails.
    #[track_caller]
    pub fn run(name: &str, args: &[&str]) -> Vec<String> {
        let mut python = Self::start(name, args);
        let good = python.wait(Duration::from_mins(1));
        let lines = python.lines();
        assert!(good, "{name} {args:?} failed: {lines:?}");
        lines
    }

    /// What it wrote so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it wrote this line.
    #[track_caller]
    pub fn wait_for(&self, line: &str) {
        let began = Instant::now();
        while !self.lines().iter().any(|known| known == line) {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "never said {line:?}: {:?}",
                self.lines()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it, and gives all that it wrote.
    pub fn stop(mut self) -> Vec<String> {
        // One that has ended already is as good.
        let _ = self.child.kill();
        self.wait(Duration::from_secs(10));
        self.lines()
    }

    /// Waits for its end; whether it came in time and was a good one.
    pub fn wait(&mut self, patience: Duration) -> bool {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                if let Some(reader) = self.reader.take() {
                    let _ = reader.join();
                }
                return status.success();
            }
            if began.elapsed() > patience {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn interpreter() -> PathBuf {
    if let Some(path) = std::env::var_os("GATEPOST_TEST_PYTHON") {
        return path.into();
    }
    let imports = Command::new("python3")
        .args(["-c", "import pika"])
        .stderr(Stdio::null())
        .status();
    assert!(
        imports.is_ok_and(|status| status.success()),
        "GATEPOST_TEST_PYTHON names the Python that has pika; ./scripts/test makes one"
    );
    "python3".into()
}
