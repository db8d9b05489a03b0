//! A RabbitMQ of one's own, which can be killed, frozen and told things.
//!
//! `gatepost_messaging::testing` has one like it. It can't be used here: its feature would be on in the program, too,
//! which is built beside the benchmarks and must be measured as it is shipped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// An Erlang that starts beside other work takes its time.
const PATIENCE: Duration = Duration::from_mins(2);
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A private node with one user, `guest`; ended, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct Rabbit {
    folder: TempDir,
    port: u16,
    distribution: u16,
    /// The port mapper of Erlang, one for this node alone.
    mapper: u16,
    child: Option<Child>,
}

impl Rabbit {
    /// Starts one, and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        Self::with("")
    }

    /// One with more lines in its `rabbitmq.conf`.
    #[track_caller]
    pub fn with(settings: &str) -> Self {
        assert!(
            Path::new(PROGRAMS).join("rabbitmq-server").is_file(),
            "a RabbitMQ in {PROGRAMS}; ./scripts/test installs it"
        );
        let folder = TempDir::with_prefix("gatepost-rabbitmq-").expect("a temporary folder");
        // All three at once, or they would be the same.
        let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [port, distribution, mapper] = free.map(|l| l.local_addr().expect("a bound port").port());
        let conf = format!(
            "listeners.tcp.default = 127.0.0.1:{port}\nlog.file.level = warning\n\
             vm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 50MB\n{settings}"
        );
        fs::write(folder.path().join("rabbitmq.conf"), conf).expect("the folder takes a file");
        fs::write(folder.path().join("plugins"), "[].\n").expect("the folder takes a file");
        let mut rabbit = Self {
            folder,
            port,
            distribution,
            mapper,
            child: None,
        };
        rabbit.restart();
        rabbit
    }

    /// `amqp://guest:guest@127.0.0.1:port`.
    pub fn url(&self) -> String {
        Self::url_at(self.port)
    }

    /// The same through a [`Wire`](super::Wire) that begins at this port.
    pub fn url_at(port: u16) -> String {
        format!("amqp://guest:guest@127.0.0.1:{port}")
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            match self.pid() {
                Some(pid) => super::signal(pid, "KILL"),
                None => child.kill().expect("our own child can be killed"),
            }
            // The shell that started it ends with it.
            child.wait().expect("our own child can be waited for");
            let _ = fs::remove_file(self.pid_file());
        }
    }

    /// Starts it (again) over the same data, and waits until it answers.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let out = File::create(self.folder.path().join("out")).expect("the folder takes a file");
        let child = self
            .program("rabbitmq-server")
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .spawn();
        self.child = Some(child.expect("RabbitMQ starts"));
        let began = Instant::now();
        while !self.answers() {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            let said = || fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "RabbitMQ does not answer: {ended:?} {}",
                said()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether it answers the first bytes of AMQP.
    pub fn answers(&self) -> bool {
        let asked = || -> std::io::Result<[u8; 8]> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"AMQP\x00\x00\x09\x01")?;
            let mut start = [0; 8];
            stream.read_exact(&mut start)?;
            Ok(start)
        };
        // A method frame on channel 0: connection.start.
        asked().is_ok_and(|start| start[..3] == [1, 0, 0])
    }

    /// Freezes it: connections stay open and say nothing.
    #[track_caller]
    pub fn freeze(&self) {
        super::signal(self.pid().expect("it runs"), "STOP");
    }

    /// Lets it go on.
    #[track_caller]
    pub fn thaw(&self) {
        super::signal(self.pid().expect("it runs"), "CONT");
    }

    /// `rabbitmqctl`; gives what it wrote.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> String {
        let ran = self.program("rabbitmqctl").arg("--quiet").args(args).output();
        let ran = ran.expect("rabbitmqctl runs");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(
            ran.status.success(),
            "rabbitmqctl {args:?}: {said} {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        said
    }

    /// Messages in a queue, those in hand included; none if there is no such queue.
    #[track_caller]
    pub fn depth(&self, queue: &str) -> Option<u64> {
        self.ctl(&["list_queues", "name", "messages"])
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(name, _)| *name == queue)
            .and_then(|(_, messages)| messages.trim().parse().ok())
    }

    /// The process of the node itself, once it has told it.
    fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    fn program(&self, name: &str) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(Path::new(PROGRAMS).join(name));
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .env("HOME", folder)
            .env("LC_ALL", "C.UTF-8")
            .env("RABBITMQ_NODENAME", format!("gatepost{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("ERL_EPMD_PORT", self.mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", folder.join("db"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", self.pid_file())
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            // Waiting schedulers must not burn the cores that everybody shares.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        command
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        self.kill();
        // The mapper refuses to end before it has seen that its node is gone.
        for _ in 0..20 {
            let ended = Command::new("epmd")
                .args(["-port", &self.mapper.to_string(), "-kill"])
                .output();
            if ended.is_ok_and(|ended| String::from_utf8_lossy(&ended.stdout).contains("Killed")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_queues_when_it_is_killed_and_is_silent_when_frozen() {
        let mut rabbit = Rabbit::start();
        rabbit.ctl(&[
            "eval",
            "rabbit_amqqueue:declare({resource, <<\"/\">>, queue, <<\"kept\">>}, true, false, [], none, <<\"t\">>).",
        ]);
        assert_eq!(rabbit.depth("kept"), Some(0));
        rabbit.freeze();
        assert!(!rabbit.answers());
        rabbit.thaw();
        assert!(rabbit.answers());
        rabbit.kill();
        assert!(!rabbit.answers());
        rabbit.restart();
        assert_eq!(rabbit.depth("kept"), Some(0));
        assert_eq!(rabbit.depth("other"), None);
    }
}
