//! A `PgBouncer` of one's own in front of a PostgreSQL, which can be killed.

use std::fs::{self, File, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A private pooler with Debian's settings but for its mode; ended, and its folder deleted, when it is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl PgBouncer {
    /// One in front of `url` (without a password), with `mode` (`session`, `transaction`, `statement`) and at most this
    /// many connections to the server.
    #[track_caller]
    pub fn start(url: &str, mode: &str, connections: usize) -> Self {
        let folder = TempDir::with_prefix("gatepost-pgbouncer-").expect("a temporary folder");
        // It refuses to run as root, so somebody else reads this.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("our own folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("a free port")
            .port();
        let (_, rest) = url.split_once("://").expect("a URL");
        let (user, address) = rest.split_once('@').expect("a user");
        let (host, port_there) = address
            .split_once('/')
            .and_then(|(address, _)| address.split_once(':'))
            .expect("an address with a port");
        let settings = format!(
            "[databases]\n* = host={host} port={port_there}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {users}\npool_mode = {mode}\ndefault_pool_size = {connections}\n\
             max_client_conn = 200\n",
            users = folder.path().join("users").display(),
        );
        fs::write(folder.path().join("users"), format!("\"{user}\" \"\"\n"))
            .expect("the folder takes a file");
        fs::write(folder.path().join("pgbouncer.ini"), settings).expect("the folder takes a file");
        let mut pooler = Self {
            folder,
            port,
            child: None,
        };
        pooler.restart();
        pooler
    }

    /// `url` by way of the pooler.
    pub fn url(&self, url: &str) -> String {
        let (before, rest) = url.split_once('@').expect("a user");
        let (_, database) = rest.split_once('/').expect("a database");
        format!("{before}@127.0.0.1:{}/{database}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Starts it (again), and waits until it takes connections.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        let out = File::create(self.folder.path().join("out")).expect("the folder takes a file");
        let program = Path::new("/usr/sbin/pgbouncer");
        let mut command = Command::new(if program.is_file() {
            program
        } else {
            Path::new("pgbouncer")
        });
        if is_root() {
            command.args(["-u", "nobody"]);
        }
        let child = command
            .arg(self.folder.path().join("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .spawn()
            .expect("a pgbouncer; ./scripts/test installs it");
        self.child = Some(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let said = || fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
            assert!(
                began.elapsed() < PATIENCE,
                "PgBouncer does not answer: {}",
                said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it wrote since its last start.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("out")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    let asked = Command::new("id").arg("-u").output();
    asked.is_ok_and(|told| told.stdout.trim_ascii() == b"0")
}
