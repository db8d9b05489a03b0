//! A Redis of one's own, which can be killed, frozen, filled and told things.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "hunter2/hunter2";

/// A private server that takes one password; ended, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct Redis {
    folder: TempDir,
    port: u16,
    tls: bool,
    child: Option<Child>,
}

impl Redis {
    /// Starts one, and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        Self::new(false)
    }

    /// One that speaks TLS only, with the certificate of an authority of its own.
    #[track_caller]
    pub fn with_tls() -> Self {
        Self::new(true)
    }

    #[track_caller]
    fn new(tls: bool) -> Self {
        let folder = TempDir::with_prefix("gatepost-redis-").expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a free port")
            .port();
        let mut redis = Self {
            folder,
            port,
            tls,
            child: None,
        };
        if tls {
            redis.make_certificates();
        }
        redis.restart();
        redis
    }

    /// `redis://:password@127.0.0.1:port`, or `rediss://`.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same through a [`Wire`](super::Wire) that begins at this port.
    pub fn url_at(&self, port: u16) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://:{}@127.0.0.1:{port}", super::escape(PASSWORD))
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The authority that its certificate is from.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Starts it (again), over what it has saved, and waits until it answers.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let out = File::create(self.folder.path().join("out")).expect("the folder takes a file");
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .args(["--bind", "127.0.0.1", "--requirepass", PASSWORD])
            .args(["--save", "", "--appendonly", "no"]);
        if self.tls {
            command
                .args(["--port", "0", "--tls-port", &port])
                .args(["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"])
                .args(["--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no"]);
        } else {
            command.args(["--port", &port]);
        }
        let child = command
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .spawn()
            .expect("a redis-server; ./scripts/test installs it");
        self.child = Some(child);
        let began = Instant::now();
        while self.try_tell(&["PING"]).as_deref() != Some("PONG") {
            let said = || fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "Redis does not answer: {}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Freezes it: connections stay open and say nothing.
    #[track_caller]
    pub fn freeze(&self) {
        super::signal(self.child.as_ref().expect("it runs").id(), "STOP");
    }

    /// Lets it go on.
    #[track_caller]
    pub fn thaw(&self) {
        super::signal(self.child.as_ref().expect("it runs").id(), "CONT");
    }

    /// It refuses every write for want of memory.
    #[track_caller]
    pub fn fill(&self) {
        self.tell(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        self.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    }

    /// It has room again.
    #[track_caller]
    pub fn make_room(&self) {
        self.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    }

    /// One command; gives the answer as `redis-cli` prints it, elements on lines of their own.
    #[track_caller]
    pub fn tell(&self, command: &[&str]) -> String {
        self.try_tell(command).expect("Redis answers")
    }

    fn try_tell(&self, command: &[&str]) -> Option<String> {
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--raw"])
            .env("REDISCLI_AUTH", PASSWORD);
        if self.tls {
            cli.arg("--tls").arg("--cacert").arg(self.ca_file());
        }
        let ran = cli.args(command).output().expect("redis-cli runs");
        let said = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
        ran.status.success().then_some(said)
    }

    fn make_certificates(&self) {
        let folder = self.folder.path();
        fs::write(
            folder.join("names"),
            "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
        )
        .expect("the folder takes a file");
        let steps = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=test-authority",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=redis",
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 30 -extfile names",
        ];
        for step in steps {
            let made = Command::new("openssl")
                .current_dir(folder)
                .args(step.split(' '))
                .output()
                .expect("openssl; ./scripts/test installs it");
            assert!(
                made.status.success(),
                "openssl {step}: {}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_when_it_is_killed_and_refuses_writes_when_it_is_full() {
        for mut redis in [Redis::start(), Redis::with_tls()] {
            assert_eq!(redis.tell(&["SET", "told", "7"]), "OK");
            redis.fill();
            assert!(redis.tell(&["SET", "more", "7"]).starts_with("OOM"));
            redis.make_room();
            assert_eq!(redis.tell(&["GET", "told"]), "7");
            redis.restart();
            assert_eq!(redis.tell(&["GET", "told"]), "");
        }
    }
}
