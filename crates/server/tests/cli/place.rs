//! A folder of its own with a database of its own, and the program run in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// Runs each `fn name(place: &Place)` on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() { super::$name(&$crate::place::Place::sqlite()) })+
        }
        mod postgres {
            $(#[test]
            fn $name() { super::$name(&$crate::place::Place::postgres()) })+
        }
    };
}
pub(crate) use on_both;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Where the program is run.
pub(crate) struct Place {
    folder: std::sync::Arc<tempfile::TempDir>,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    pub(crate) fn postgres() -> Self {
        let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").expect(
            "GATEPOST_TEST_POSTGRES_URL names no PostgreSQL: run ./scripts/test, which starts one, or set it",
        );
        let schema = format!(
            "cli_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let mut place = Self::sqlite();
        place.set("GATEPOST__STORAGE__URL", &url);
        place.set("GATEPOST__STORAGE__SCHEMA", &schema);
        place.set("GATEPOST__STORAGE__MAX_CONNECTIONS", "3");
        place
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same place, to be changed.
    pub(crate) fn again(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            variables: self.variables.clone(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        command
            .envs(self.variables.iter().map(|(k, v)| (k, v)))
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(arguments, self.command(arguments).output().unwrap())
    }

    /// Runs it with a line on standard input.
    pub(crate) fn run_with(&self, input: &str, arguments: &[&str]) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // Who refuses before reading closes the pipe: that is no failure of the test.
        let _ = writeln!(child.stdin.take().unwrap(), "{input}");
        Ran::of(arguments, child.wait_with_output().unwrap())
    }

    /// Starts it and goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    what: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(arguments: &[&str], output: Output) -> Self {
        Self {
            what: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It did what it was asked; its answer without the line break.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out.trim_end().to_owned()
    }

    /// It did what it was asked, and answered one JSON object on one line.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.good();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// It ended with this code and one line on standard error that holds these words.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(
            self.err.trim_end().lines().count(),
            1,
            "{}: {}",
            self.what,
            self.err
        );
        assert!(self.err.contains(words), "{}: {}", self.what, self.err);
    }
}
