//! An SMTP server that keeps what it gets, and misbehaves on demand.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::inbox::link_in;

/// What a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything.
    Good,
    /// Takes everything, and is slow to say so after the final dot.
    Slow(Duration),
    /// Hangs up on every connection.
    Down,
    /// Puts every recipient off with 451.
    Defers,
}

/// A letter that was taken with 250, or whose 250 was on its way when the client went.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its Message-ID.
    pub message_id: String,
    /// Who it is for.
    pub to: Vec<String>,
    /// Everything between DATA and the dot.
    pub data: String,
}

/// Listens until it is dropped; outlives the instances that send to it.
#[derive(Debug)]
pub struct Sink {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    received: Mutex<Vec<Received>>,
}

impl Sink {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Good),
            received: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&theirs);
                // A client that goes away in mid-dialogue is what these tests are about.
                thread::spawn(move || drop(talk(&stream, &shared)));
            }
        });
        Self { port, shared }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, for new and open connections alike.
    pub fn behave(&self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
    }

    /// Everything so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }
}

impl Received {
    /// Path and query of the link in its text part.
    pub fn link(&self) -> Option<String> {
        // Soft line breaks of quoted-printable would cut a link in two.
        let text = self.data.replace("=\r\n", "").replace("=3D", "=");
        link_in(&text)
    }
}

fn talk(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream;
    let mut lines = BufReader::new(stream);
    let manner = || *lock(&shared.manner);
    if manner() == Manner::Down {
        return Ok(());
    }
    out.write_all(b"220 sink.test ESMTP\r\n")?;
    let mut to = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if manner() == Manner::Down {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "RCPT" if manner() == Manner::Defers => b"451 4.3.0 later\r\n",
            "RCPT" => {
                to.push(line.split(['<', '>']).nth(1).unwrap_or_default().to_owned());
                b"250 2.1.5 ok\r\n"
            }
            "DATA" if to.is_empty() => b"503 5.5.1 nobody to send it to\r\n",
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let data = read_data(&mut lines)?;
                // Kept before it is answered: a client that is killed now has sent it all the same.
                keep(shared, data, std::mem::take(&mut to));
                if let Manner::Slow(by) = manner() {
                    thread::sleep(by);
                }
                b"250 2.0.0 taken\r\n"
            }
            "RSET" => {
                to.clear();
                b"250 2.0.0 ok\r\n"
            }
            "QUIT" => {
                out.write_all(b"221 2.0.0 bye\r\n")?;
                return Ok(());
            }
            _ => b"250 2.0.0 ok\r\n",
        };
        out.write_all(reply)?;
        line.clear();
    }
    Ok(())
}

fn read_data(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut data = Vec::new();
    loop {
        let start = data.len();
        if lines.read_until(b'\n', &mut data)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if &data[start..] == b".\r\n" {
            data.truncate(start);
            return Ok(String::from_utf8_lossy(&data).into_owned());
        }
    }
}

fn keep(shared: &Shared, data: String, to: Vec<String>) {
    let id = data.lines().find_map(|l| {
        let (name, value) = l.split_once(':')?;
        name.eq_ignore_ascii_case("message-id")
            .then(|| value.trim().to_owned())
    });
    lock(&shared.received).push(Received {
        message_id: id.unwrap_or_default(),
        to,
        data,
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
