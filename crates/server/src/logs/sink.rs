//! A thread that writes lines, behind a queue that nobody waits for.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use super::redact::redact;

/// Lines that may wait: a few seconds of a busy server.
const WAITING: usize = 16_384;
/// How long the end of the program waits for a slow disk or a stopped terminal.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks for a place in a full queue meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sink {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Sink {
    /// Starts the thread.
    pub(super) fn start(name: &str, target: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(&lines, target, &counter))?;
        Ok(Self { queue, lost })
    }

    fn line(&self, line: Vec<u8>) {
        match self.queue.try_send(Message::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        let began = Instant::now();
        // A full queue is when there is most to write: wait for a place as well, within the same patience.
        while let Err(refused) = self.queue.try_send(message) {
            let TrySendError::Full(again) = refused else {
                return;
            };
            if began.elapsed() >= PATIENCE {
                return;
            }
            message = again;
            std::thread::sleep(LOOK_AGAIN);
        }
        let _ = wait.recv_timeout(PATIENCE);
    }
}

/// Writes what is still waiting when it is dropped.
#[must_use = "dropped at once, it writes nothing at the end"]
pub struct Guard(Vec<Sink>);

impl Guard {
    pub(super) fn of(sinks: [Option<&Sink>; 2]) -> Self {
        Self(sinks.into_iter().flatten().cloned().collect())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.iter().for_each(Sink::flush);
    }
}

fn run(lines: &Receiver<Message>, mut target: impl Write, lost: &AtomicU64) {
    let mut failing = false;
    while let Ok(message) = lines.recv() {
        match message {
            Message::Line(line) => {
                tell_lost(&mut target, lost);
                let written = target.write_all(&redact(&line)).and_then(|()| target.flush());
                match written {
                    Ok(()) => failing = false,
                    Err(error) => {
                        lost.fetch_add(1, Ordering::Relaxed);
                        if !failing {
                            failing = true;
                            // Nowhere else to go: the log itself is what fails. Once, until it works again.
                            let name = std::thread::current().name().unwrap_or("log").to_owned();
                            let _ = writeln!(
                                io::stderr(),
                                "the {name} can't be written, lines are lost: {error}"
                            );
                        }
                    }
                }
            }
            Message::Flush(done) => {
                tell_lost(&mut target, lost);
                let _ = target.flush();
                drop(done);
            }
        }
    }
}

/// As an object of its own: readable in both forms.
fn tell_lost(target: &mut impl Write, lost: &AtomicU64) {
    let count = lost.swap(0, Ordering::Relaxed);
    if count > 0 {
        let line = format!(
            "{{\"level\":\"WARN\",\"message\":\"{count} log lines were lost here\",\"lost\":{count}}}\n"
        );
        if target.write_all(line.as_bytes()).is_err() {
            lost.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            sink: self,
            bytes: Vec::with_capacity(256),
        }
    }
}

/// Gathers one line and hands it over when it is whole.
pub(super) struct Line<'a> {
    sink: &'a Sink,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.sink.line(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    /// Waits to be let go before every write.
    struct Stuck(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, part: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.lock().unwrap().extend_from_slice(part);
            Ok(part.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_and_what_is_lost_is_told() {
        let (go, gate) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink::start("test", Stuck(gate, Arc::clone(&written))).unwrap();
        for _ in 0..WAITING + 100 {
            sink.line(b"line\n".to_vec());
        }
        for _ in 0..WAITING + 10 {
            go.send(()).unwrap();
        }
        sink.flush();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lost: usize = text
            .split("\"lost\":")
            .nth(1)
            .unwrap()
            .split('}')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(
            text.matches("line\n").count() + lost,
            WAITING + 100,
            "every line is there or counted"
        );
    }
}
