//! An SMTP server that keeps what it gets, and misbehaves on demand.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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
    /// Puts recipients whose address begins with `grey` off with 451 until this long after their first try.
    Greylists(Duration),
}

/// A letter that was taken with 250, or whose 250 was on its way when the client went.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its Message-ID.
    pub message_id: String,
    /// Who it is for.
    pub to: Vec<String>,
    /// Everything between DATA and the dot; up to the first empty line only if the sink is a sparing one.
    pub data: String,
    /// When its final dot was read.
    pub at: Instant,
}

/// Listens until it is dropped; outlives the instances that send to it.
#[derive(Debug)]
pub struct Sink {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sparing: bool,
    manner: Mutex<Manner>,
    received: Mutex<Vec<Received>>,
    seen: Mutex<HashMap<String, Instant>>,
    life: Mutex<Life>,
}

#[derive(Debug, Default)]
struct Life {
    /// Which life this is; connections and listeners of an earlier one are dead.
    number: u64,
    open: HashMap<u64, TcpStream>,
    taken: u64,
}

impl Sink {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::with(false)
    }

    /// One that keeps only the headers of letters: for a hundred thousand of them.
    pub fn sparing() -> Self {
        Self::with(true)
    }

    fn with(sparing: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Shared {
            sparing,
            manner: Mutex::new(Manner::Good),
            received: Mutex::default(),
            seen: Mutex::default(),
            life: Mutex::default(),
        });
        listen(&shared, listener, 0);
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

    /// As a killed server does: every dialogue breaks off wherever it is, and nobody listens any more. What
    /// it has taken stays taken.
    pub fn kill(&self) {
        {
            let mut life = lock(&self.shared.life);
            life.number += 1;
            for (_, stream) in life.open.drain() {
                // One that has ended already is as good.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // Its listener sees that it is of an earlier life, and closes.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }

    /// Listens again on the same port after [`kill`](Self::kill).
    pub fn revive(&self) {
        let number = lock(&self.shared.life).number;
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", self.port)) {
                Ok(listener) => break listener,
                // The old listener is about to close.
                Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{error}"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        listen(&self.shared, listener, number);
    }

    /// Whether it greets.
    pub fn answers(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let mut line = String::new();
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        BufReader::new(stream)
            .read_line(&mut line)
            .is_ok_and(|read| read > 0)
    }

    /// Everything so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// How many so far, twins included.
    pub fn count(&self) -> usize {
        lock(&self.shared.received).len()
    }

    /// Waits until it has this many; false if it has not within this time.
    pub fn wait_for(&self, count: usize, patience: Duration) -> bool {
        let began = Instant::now();
        while self.count() < count {
            if began.elapsed() > patience {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
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

fn listen(shared: &Arc<Shared>, listener: TcpListener, number: u64) {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            let Some(id) = admit(&shared, &stream, number) else {
                return;
            };
            thread::spawn(move || {
                // A client that goes away in mid-dialogue is what these tests are about.
                drop(talk(&stream, &shared));
                let _ = stream.shutdown(Shutdown::Both);
                lock(&shared.life).open.remove(&id);
            });
        }
    });
}

/// Notes a connection; none if its listener is of an earlier life.
fn admit(shared: &Shared, stream: &TcpStream, number: u64) -> Option<u64> {
    let mut life = lock(&shared.life);
    if life.number != number {
        return None;
    }
    life.taken += 1;
    let id = life.taken;
    life.open.insert(id, stream.try_clone().expect("a socket"));
    Some(id)
}

fn talk(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream;
    let mut lines = BufReader::with_capacity(64 * 1024, stream);
    let manner = || *lock(&shared.manner);
    if manner() == Manner::Down {
        return Ok(());
    }
    out.write_all(b"220 sink.test ESMTP\r\n")?;
    let mut to = Vec::new();
    let mut line = String::new();
    let mut replies = Vec::new();
    while lines.read_line(&mut line)? > 0 {
        if manner() == Manner::Down {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                if shared.defers(manner(), &address) {
                    b"451 4.7.1 later\r\n"
                } else {
                    to.push(address);
                    b"250 2.1.5 ok\r\n"
                }
            }
            "DATA" if to.is_empty() => b"503 5.5.1 nobody to send it to\r\n",
            "DATA" => {
                replies.extend_from_slice(b"354 go on\r\n");
                out.write_all(&std::mem::take(&mut replies))?;
                let data = read_data(&mut lines)?;
                // Kept before it is answered: a client that is killed now has sent it all the same.
                shared.keep(data, std::mem::take(&mut to));
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
        replies.extend_from_slice(reply);
        // Commands that came together are answered together (RFC 2920 3.2).
        if lines.buffer().is_empty() {
            out.write_all(&std::mem::take(&mut replies))?;
        }
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

impl Shared {
    fn defers(&self, manner: Manner, address: &str) -> bool {
        match manner {
            Manner::Defers => true,
            Manner::Greylists(by) if address.starts_with("grey") => {
                let mut seen = lock(&self.seen);
                let first = *seen.entry(address.to_owned()).or_insert_with(Instant::now);
                first.elapsed() < by
            }
            _ => false,
        }
    }

    fn keep(&self, mut data: String, to: Vec<String>) {
        let id = data.lines().find_map(|l| {
            let (name, value) = l.split_once(':')?;
            name.eq_ignore_ascii_case("message-id")
                .then(|| value.trim().to_owned())
        });
        if self.sparing {
            data.truncate(data.find("\r\n\r\n").unwrap_or(data.len()));
            data.shrink_to_fit();
        }
        lock(&self.received).push(Received {
            message_id: id.unwrap_or_default(),
            to,
            data,
            at: Instant::now(),
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_gone_when_it_is_killed_and_remembers_when_it_is_back() {
        let sink = Sink::start();
        let mut stream = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
        stream
            .write_all(
                b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nDATA\r\nMessage-ID: <1@a>\r\n\r\nhi\r\n.\r\n",
            )
            .unwrap();
        assert!(sink.wait_for(1, Duration::from_secs(5)));
        assert!(sink.answers());
        sink.kill();
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
        assert!(!sink.answers());
        sink.revive();
        assert!(sink.answers());
        assert_eq!(sink.received()[0].message_id, "<1@a>");
        assert_eq!(sink.received()[0].to, ["b@c.d"]);
    }
}
