//! A load generator: a few connections, each asking again as soon as it is answered.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came of it.
#[derive(Debug)]
pub struct Load {
    /// Answers with a status 2xx.
    pub answers: u64,
    /// Answers with another status.
    pub others: u64,
    /// From the first question to the last answer.
    pub took: Duration,
    /// How long each answer took, in no order.
    pub times: Vec<Duration>,
}

impl Load {
    /// Good answers a second.
    #[expect(clippy::cast_precision_loss, reason = "millions, not 2^52")]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64()
    }
}

/// A whole HTTP/1.1 request with a JSON body.
pub fn request(method: &str, path: &str, bearer: Option<&str>, body: &str) -> Vec<u8> {
    let auth = bearer
        .map(|token| format!("authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{auth}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends `request` over `connections` connections for `how_long`, at most `rate` a second in all if given.
pub async fn run(port: u16, request: &[u8], connections: u32, how_long: Duration, rate: Option<u32>) -> Load {
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|nth| {
            let request = request.to_vec();
            let pace = rate.map(|rate| Duration::from_secs(1) * connections / rate);
            // Spread over the first beat, or all connections would ask at once.
            let first = pace.map(|pace| pace * nth / connections);
            tokio::spawn(async move { one(port, &request, began + how_long, pace, first).await })
        })
        .collect();
    let mut load = Load {
        answers: 0,
        others: 0,
        took: Duration::ZERO,
        times: Vec::new(),
    };
    for task in tasks {
        let (statuses, times) = task.await.expect("the task runs").expect("the server answers");
        let good = statuses
            .iter()
            .filter(|status| (200..300).contains(*status))
            .count();
        load.answers += good as u64;
        load.others += (statuses.len() - good) as u64;
        load.times.extend(times);
    }
    load.took = began.elapsed();
    load
}

async fn one(
    port: u16,
    request: &[u8],
    until: Instant,
    pace: Option<Duration>,
    first: Option<Duration>,
) -> io::Result<(Vec<u16>, Vec<Duration>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut statuses, mut times) = (Vec::new(), Vec::new());
    let mut buffer = Vec::with_capacity(4096);
    let mut due = Instant::now() + first.unwrap_or_default();
    while Instant::now() < until {
        if let Some(pace) = pace {
            tokio::time::sleep_until(due.into()).await;
            due += pace;
        }
        let began = Instant::now();
        stream.write_all(request).await?;
        statuses.push(answer(&mut stream, &mut buffer).await?.0);
        times.push(began.elapsed());
    }
    Ok((statuses, times))
}

/// Reads one answer with a `content-length` into `buffer`; gives its status, and where its body begins.
pub async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<(u16, usize)> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).map_err(io::Error::other)?;
        let length: usize = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0);
        let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
        while buffer.len() < end + 4 + length {
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok((status, end + 4));
    }
}
