//! A wire to a TCP service that misbehaves on demand: it can be cut, stall, hang up on one side, be slow, and
//! break in the middle of a frame.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Passes connections through until it is told otherwise; lives as long as the test's process.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cut: bool,
    stalled: bool,
    delay: Duration,
    /// Bytes that still pass, both directions together, before the wire is cut.
    left: Option<usize>,
    laid: u64,
    open: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    id: u64,
    near: TcpStream,
    far: TcpStream,
}

impl Wire {
    /// Lays a wire to `address` (`host:port`).
    pub fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Shared::default());
        let (theirs, address) = (Arc::clone(&shared), address.to_owned());
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let (shared, address) = (Arc::clone(&theirs), address.clone());
                // A far end that is slow to answer must not keep others from connecting.
                thread::spawn(move || connect(&shared, near, &address));
            }
        });
        Self { port, shared }
    }

    /// Where it begins on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        self.shared.lock().cut();
        self.shared.changed.notify_all();
    }

    /// Lets so many more bytes through, counted over both directions, and then cuts: most likely in the
    /// middle of a frame.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.lock().left = Some(bytes);
    }

    /// Lets nothing pass any more and ends nothing: to both sides the other one has fallen silent. New
    /// connections are taken and hear nothing.
    pub fn stall(&self) {
        self.shared.lock().stalled = true;
    }

    /// Hangs up towards those who are connected now: they read the end of the stream, and what they write
    /// still arrives.
    pub fn half_close(&self) {
        for connection in &self.shared.lock().open {
            // One that has ended already is as good.
            let _ = connection.near.shutdown(Shutdown::Write);
        }
    }

    /// Holds every piece back for so long, in each direction.
    pub fn delay(&self, by: Duration) {
        self.shared.lock().delay = by;
    }

    /// Behaves again: new connections are let through, and what was held back arrives.
    pub fn mend(&self) {
        let mut state = self.shared.lock();
        state.cut = false;
        state.stalled = false;
        state.left = None;
        state.delay = Duration::ZERO;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.shared.lock().open.len()
    }
}

impl State {
    fn cut(&mut self) {
        self.cut = true;
        for connection in self.open.drain(..) {
            // One that has ended already is as good.
            let _ = connection.near.shutdown(Shutdown::Both);
            let _ = connection.far.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the wire is stalled; false if it was cut.
    fn pass(&self, bytes: usize) -> bool {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.stalled && !state.cut)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = &mut state.left {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                state.left = None;
                state.cut();
            }
        }
        !state.cut
    }
}

fn connect(shared: &Arc<Shared>, near: TcpStream, address: &str) {
    if !shared.pass(0) {
        // Dropped: the client sees it close.
        return;
    }
    let Ok(far) = TcpStream::connect(address) else {
        return;
    };
    for end in [&near, &far] {
        end.set_nodelay(true).expect("a socket");
    }
    let (from_near, from_far) = (copy_of(&near), copy_of(&far));
    let (to_near, to_far) = (copy_of(&near), copy_of(&far));
    let id = {
        let mut state = shared.lock();
        if state.cut {
            return;
        }
        state.laid += 1;
        let id = state.laid;
        state.open.push(Connection { id, near, far });
        id
    };
    let theirs = Arc::clone(shared);
    let back = thread::spawn(move || pump(&theirs, from_far, to_near));
    pump(shared, from_near, to_far);
    let _ = back.join();
    shared.lock().open.retain(|connection| connection.id != id);
}

/// Carries one direction until its end, and passes the end on.
fn pump(shared: &Shared, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read) = from.read(&mut buffer) {
        let delay = shared.lock().delay;
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        if read == 0 || !shared.pass(read) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // One that has ended already is as good.
    let _ = to.shutdown(Shutdown::Write);
}

fn copy_of(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a socket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::time::Instant;

    /// A service that says everything back, and goes on reading when its client stops.
    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut back = stream.try_clone().unwrap();
                    let _ = std::io::copy(&mut stream, &mut back);
                });
            }
        });
        address
    }

    fn client(wire: &Wire) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", wire.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    fn ask(stream: &mut TcpStream, what: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(what)?;
        let mut answer = vec![0; what.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn what_is_cut_ends_and_what_is_mended_passes() {
        let wire = Wire::to(&echo());
        let mut stream = client(&wire);
        assert_eq!(ask(&mut stream, b"one").unwrap(), b"one");
        wire.cut();
        assert!(ask(&mut stream, b"two").is_err());
        assert!(ask(&mut client(&wire), b"three").is_err(), "new ones, too");
        wire.mend();
        assert_eq!(ask(&mut client(&wire), b"four").unwrap(), b"four");
    }

    #[test]
    fn what_is_stalled_is_silent_and_arrives_later() {
        let wire = Wire::to(&echo());
        let mut stream = client(&wire);
        assert_eq!(ask(&mut stream, b"one").unwrap(), b"one");
        wire.stall();
        let silence = ask(&mut stream, b"two").unwrap_err();
        assert!(
            matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{silence}: no end of the stream, nothing at all"
        );
        wire.mend();
        let mut late = [0; 3];
        stream.read_exact(&mut late).unwrap();
        assert_eq!(&late, b"two");
    }

    #[test]
    fn what_is_half_closed_still_carries_the_other_way() {
        let wire = Wire::to(&echo());
        let mut stream = client(&wire);
        assert_eq!(ask(&mut stream, b"one").unwrap(), b"one");
        wire.half_close();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "the end of the stream");
        stream.write_all(b"two").unwrap();
        assert_eq!(wire.connections(), 1);
    }

    #[test]
    fn is_slow_and_breaks_within_a_frame_if_told_so() {
        let wire = Wire::to(&echo());
        let mut stream = client(&wire);
        wire.delay(Duration::from_millis(30));
        let began = Instant::now();
        assert_eq!(ask(&mut stream, b"one").unwrap(), b"one");
        assert!(began.elapsed() >= Duration::from_millis(60), "there and back");
        wire.mend();
        wire.cut_after(9);
        assert_eq!(ask(&mut stream, b"four").unwrap(), b"four");
        assert!(ask(&mut stream, b"five").is_err());
        assert!(ask(&mut client(&wire), b"six").is_err(), "and stays cut");
    }
}
