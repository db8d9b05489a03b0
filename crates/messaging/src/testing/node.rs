//! A RabbitMQ of a test's own, to be killed, frozen and starved.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

/// Where Debian's package has it.
const BIN: &str = "/usr/lib/rabbitmq/bin";
/// How long a node may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A RabbitMQ that belongs to one test: on free ports of 127.0.0.1, in a folder of its own, with a port mapper of
/// its own. Dropping it ends it and removes the folder.
///
/// Every call blocks: from async code, `tokio::task::spawn_blocking`, or a runtime with several threads.
#[derive(Debug)]
pub struct RabbitNode {
    folder: PathBuf,
    port: u16,
    dist: u16,
    epmd: u16,
    tls: u16,
    child: Option<Child>,
}

impl RabbitNode {
    /// Starts one; takes about 5 s on an idle machine.
    ///
    /// # Errors
    /// RabbitMQ is not installed, or did not come up; then with the end of what it printed.
    pub fn start() -> io::Result<Self> {
        Self::start_with("")
    }

    /// The same with more lines for `rabbitmq.conf`; `TLS_PORT` in them stands for a free port of its own.
    ///
    /// # Errors
    /// RabbitMQ is not installed, or did not come up; then with the end of what it printed.
    pub fn start_with(lines: &str) -> io::Result<Self> {
        if !Path::new(BIN).join("rabbitmq-server").exists() {
            let text = format!("there is no RabbitMQ in {BIN}: `scripts/test` installs it");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        let mut last = io::Error::other("never tried");
        // Somebody else may take a port between the look and the start.
        for _ in 0..3 {
            let [port, dist, epmd, tls] = free_ports()?;
            let folder =
                std::env::temp_dir().join(format!("gatepost-rabbitmq-{}", Uuid::from_u128(unique()?)));
            fs::create_dir_all(folder.join("home"))?;
            let mut node = Self {
                folder,
                port,
                dist,
                epmd,
                tls,
                child: None,
            };
            node.write_configuration(lines)?;
            match node.restart() {
                Ok(()) => return Ok(node),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// How a program reaches it: user and password `guest`, virtual host `/`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that `TLS_PORT` stands for.
    pub fn tls_port(&self) -> u16 {
        self.tls
    }

    /// Ends it at once, as a power failure would.
    ///
    /// # Errors
    /// It was not running.
    pub fn kill(&mut self) -> io::Result<()> {
        self.signal("KILL")?;
        self.reap();
        Ok(())
    }

    /// Freezes it: connections stay open and nobody answers.
    ///
    /// # Errors
    /// It was not running.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It was not running.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    /// Starts it again on what it had stored, after [`kill`](Self::kill).
    ///
    /// # Errors
    /// It did not come up.
    pub fn restart(&mut self) -> io::Result<()> {
        self.reap();
        let _ = fs::remove_file(self.folder.join("pid"));
        let out = fs::File::create(self.folder.join("out"))?;
        let mut command = self.command("rabbitmq-server");
        command.stdout(out.try_clone()?).stderr(out).process_group(0);
        self.child = Some(command.spawn()?);
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(child) = &mut self.child
                && child.try_wait()?.is_some()
            {
                break;
            }
            if self.pid().is_ok() && self.answers() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        let printed = fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        let end: Vec<&str> = printed.lines().rev().take(20).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        Err(io::Error::other(format!(
            "RabbitMQ did not come up:\n{}",
            end.join("\n")
        )))
    }

    /// Whether it answers the first bytes of AMQP.
    pub fn answers(&self) -> bool {
        let asked = || -> io::Result<[u8; 8]> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"AMQP\x00\x00\x09\x01")?;
            let mut start = [0; 8];
            stream.read_exact(&mut start)?;
            Ok(start)
        };
        // A method frame on channel 0: connection.start.
        asked().is_ok_and(|start| start[..3] == [1, 0, 0])
    }

    /// Removes everything that it had stored, after [`kill`](Self::kill).
    ///
    /// # Errors
    /// The folder can't be removed.
    pub fn forget(&self) -> io::Result<()> {
        fs::remove_dir_all(self.folder.join("db"))
    }

    /// `rabbitmqctl` against it; what it printed.
    ///
    /// # Errors
    /// It failed; with what it printed.
    pub fn ctl(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.command("rabbitmqctl").arg("-q").args(arguments).output()?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Err(io::Error::other(format!(
            "rabbitmqctl {}: {text}",
            arguments.join(" ")
        )))
    }

    /// Raises its memory alarm: it reads nothing more from those who publish.
    ///
    /// # Errors
    /// It did not do as told.
    pub fn raise_alarm(&self) -> io::Result<()> {
        self.ctl(&["set_vm_memory_high_watermark", "0.00001"]).map(drop)
    }

    /// Ends the alarm.
    ///
    /// # Errors
    /// It did not do as told.
    pub fn end_alarm(&self) -> io::Result<()> {
        self.ctl(&["set_vm_memory_high_watermark", "0.8"]).map(drop)
    }

    fn write_configuration(&self, lines: &str) -> io::Result<()> {
        let mut file = fs::File::create(self.folder.join("rabbitmq.conf"))?;
        writeln!(file, "listeners.tcp.default = 127.0.0.1:{}", self.port)?;
        writeln!(file, "log.file.level = warning")?;
        writeln!(file, "vm_memory_high_watermark.absolute = 2GB")?;
        writeln!(file, "disk_free_limit.absolute = 50MB")?;
        writeln!(file, "{}", lines.replace("TLS_PORT", &self.tls.to_string()))?;
        fs::write(self.folder.join("plugins"), "[].\n")
    }

    fn command(&self, program: &str) -> Command {
        let folder = &self.folder;
        let mut command = Command::new(Path::new(BIN).join(program));
        command
            // What Erlang leaves behind when it crashes goes with the folder.
            .current_dir(folder)
            .stdin(Stdio::null())
            .env("HOME", folder.join("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("RABBITMQ_NODENAME", format!("gatepost{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.dist.to_string())
            .env("ERL_EPMD_PORT", self.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", folder.join("db"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            // Two schedulers that don't spin while there is nothing to do.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        command
    }

    fn pid(&self) -> io::Result<String> {
        let pid = fs::read_to_string(self.folder.join("pid"))?.trim().to_owned();
        if pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(io::Error::other("RabbitMQ has written no pid"));
        }
        Ok(pid)
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.pid()?)
            .stderr(Stdio::null())
            .status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "RabbitMQ could not be sent a SIG{signal}"
            )))
        }
    }

    /// The port mapper went its own ways, and does not end while it believes in a node.
    fn end_port_mapper(&self) {
        for _ in 0..40 {
            let told = Command::new("epmd")
                .args(["-port", &self.epmd.to_string(), "-kill"])
                .stdin(Stdio::null())
                .output();
            let Ok(told) = told else { return };
            if String::from_utf8_lossy(&told.stdout).contains("Killed") {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What is left of a process that was told to end.
    fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for RabbitNode {
    fn drop(&mut self) {
        // A frozen one hears nothing but this.
        let _ = self.signal("KILL");
        self.reap();
        self.end_port_mapper();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_ports() -> io::Result<[u16; 4]> {
    // Held together, so that they differ.
    let listeners = [
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
    ];
    let mut ports = [0; 4];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn unique() -> io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u128::from_le_bytes(bytes))
}
