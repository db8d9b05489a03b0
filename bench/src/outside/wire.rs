//! A wire to a TCP service that can be cut and mended.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Passes connections through until it is cut; lives as long as the test's process.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    ends: Arc<Mutex<Ends>>,
}

#[derive(Debug, Default)]
struct Ends {
    cut: bool,
    open: Vec<TcpStream>,
}

impl Wire {
    /// Lays a wire to `address` (`host:port`).
    pub fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let ends = Arc::new(Mutex::new(Ends::default()));
        let (theirs, address) = (Arc::clone(&ends), address.to_owned());
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&address) else {
                    continue;
                };
                pass(&theirs, &near, &far);
            }
        });
        Self { port, ends }
    }

    /// Where it begins on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and every new one at once.
    pub fn cut(&self) {
        let mut ends = lock(&self.ends);
        ends.cut = true;
        for end in ends.open.drain(..) {
            // One that has ended already is as good.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        lock(&self.ends).cut = false;
    }
}

fn pass(ends: &Mutex<Ends>, near: &TcpStream, far: &TcpStream) {
    let mut ends = lock(ends);
    if ends.cut {
        // Dropped: the client sees it close.
        return;
    }
    for (from, to) in [(near, far), (far, near)] {
        let (mut from, mut to) = (
            from.try_clone().expect("a socket"),
            to.try_clone().expect("a socket"),
        );
        ends.open.push(from.try_clone().expect("a socket"));
        thread::spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

fn lock(ends: &Mutex<Ends>) -> MutexGuard<'_, Ends> {
    ends.lock().unwrap_or_else(PoisonError::into_inner)
}
