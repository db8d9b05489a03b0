//! Programs beside Gatepost that check its tokens themselves, by what it keeps for them in Redis: the examples.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Instance, Pair, Redis, SECRET, Wire};
use serde_json::json;

use crate::support::{postgres, postgres_over_a_wire, reader, sqlite};

/// What is promised.
const WITHIN: Duration = Duration::from_secs(1);
/// The last question that was answered well may have been asked just before, and on a busy machine.
const MARGIN: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

/// One of the examples, as a program that says of each line what it thinks of it.
struct Checker {
    name: &'static str,
    child: Child,
    tokens: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl Checker {
    #[track_caller]
    fn start(name: &'static str, gatepost: &Instance, redis: &str, algorithm: &str) -> Self {
        let mut command = if name == "check_tokens.py" {
            let python = std::env::var_os("GATEPOST_TEST_PYTHON")
                .expect("GATEPOST_TEST_PYTHON names a Python with PyJWT and redis; ./scripts/test makes one");
            Command::new(PathBuf::from(python))
        } else {
            let modules = std::env::var_os("GATEPOST_TEST_NODE_MODULES").expect(
                "GATEPOST_TEST_NODE_MODULES names a node_modules with jose and redis; ./scripts/test makes one",
            );
            let mut node = Command::new("node");
            node.env("NODE_PATH", modules);
            node
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples/check-tokens")
            .join(name);
        let mut child = command
            .arg(script)
            .env("GATEPOST_URL", gatepost.base())
            .env("GATEPOST_ALGORITHM", algorithm)
            .env("GATEPOST_SECRET", SECRET)
            .env("REDIS_URL", redis)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts: ./scripts/test installs it");
        let (tokens, verdicts) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            name,
            child,
            tokens,
            verdicts: BufReader::new(verdicts),
        }
    }

    /// Both, in the two languages.
    fn both(gatepost: &Instance, redis: &str, algorithm: &str) -> [Self; 2] {
        ["check_tokens.py", "check-tokens.js"].map(|name| Self::start(name, gatepost, redis, algorithm))
    }

    #[track_caller]
    fn says(&mut self, token: &str) -> String {
        writeln!(self.tokens, "{token}").expect("it runs: ./scripts/test installs what it imports");
        let mut line = String::new();
        self.verdicts.read_line(&mut line).unwrap();
        assert!(
            !line.is_empty(),
            "{} ended: ./scripts/test installs what it imports",
            self.name
        );
        line.trim().to_owned()
    }

    /// Asks until it says so; never may it say what must not be said.
    #[track_caller]
    fn comes_to_say(&mut self, token: &str, wanted: &str, within: Duration, never: &str) {
        let began = Instant::now();
        loop {
            let said = self.says(token);
            if said == wanted {
                return;
            }
            assert_ne!(said, never, "{}", self.name);
            assert!(
                began.elapsed() < within,
                "{} still says {said:?}, not {wanted:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn logged_in(gatepost: &Instance) -> (Account, Pair) {
    let account = Account::active(&gatepost.client(), &reader(gatepost));
    let pair = account.login(&gatepost.client());
    (account, pair)
}

#[track_caller]
fn log_out(gatepost: &Instance, pair: &Pair) {
    let body = json!({ "refresh": pair.refresh });
    gatepost.client().post("/api/auth/logout", &body).expect(204);
}

#[test]
fn two_languages_learn_from_redis_what_is_good_and_what_is_dead() {
    for algorithm in ["HS256", "EdDSA"] {
        let redis = Redis::start();
        let gatepost = sqlite()
            .redis(&redis.url())
            .set("tokens.algorithm", format!("{algorithm:?}"))
            .unlimited()
            .start();
        for mut checker in Checker::both(&gatepost, &redis.url(), algorithm) {
            let (account, one) = logged_in(&gatepost);
            let two = account.login(&gatepost.client());
            let three = account.login(&gatepost.client());
            for pair in [&one, &two, &three] {
                checker.comes_to_say(&pair.access, "good redis", PATIENCE, "refused redis");
            }
            assert_eq!(checker.says("x"), "refused signature");
            assert_eq!(checker.says(&one.refresh), "refused signature");
            // A session ends, one token is revoked, and then all that the user holds.
            log_out(&gatepost, &one);
            checker.comes_to_say(&one.access, "refused redis", WITHIN + MARGIN, "");
            checker.comes_to_say(&two.access, "good redis", PATIENCE, "refused redis");
            let service = gatepost.client().with_bearer(&gatepost.key(&["tokens:revoke"]));
            service
                .post("/api/tokens/revoke", &json!({ "token": two.access }))
                .expect(204);
            checker.comes_to_say(&two.access, "refused redis", WITHIN + MARGIN, "");
            checker.comes_to_say(&three.access, "good redis", PATIENCE, "refused redis");
            gatepost
                .client()
                .with_bearer(&three.access)
                .post("/api/auth/logout-everywhere", &json!({}))
                .expect(204);
            checker.comes_to_say(&three.access, "refused redis", WITHIN + MARGIN, "");
            let four = account.login(&gatepost.client());
            checker.comes_to_say(&four.access, "good redis", PATIENCE, "refused redis");
            // Nothing is kept for longer than a token may live, and nothing names anybody.
            for key in redis.tell(&["KEYS", "gatepost:*"]).lines() {
                let life: i64 = redis.tell(&["PTTL", key]).parse().unwrap();
                assert!(life != -1 && life <= 3_660_000, "{key} {life}");
                assert!(!key.contains('@'), "{key}");
            }
        }
    }
}

/// Emptied, evicted from, restarted with old data, killed, frozen: they ask Gatepost, and what was revoked stays so.
#[test]
fn a_redis_in_trouble_costs_questions_and_lets_nobody_in() {
    let mut redis = Redis::start();
    let gatepost = sqlite().redis(&redis.url()).unlimited().start();
    let (account, good) = logged_in(&gatepost);
    let dead = account.login(&gatepost.client());
    let mut checkers = Checker::both(&gatepost, &redis.url(), "HS256");
    for checker in &mut checkers {
        checker.comes_to_say(&good.access, "good redis", PATIENCE, "refused redis");
        checker.comes_to_say(&dead.access, "good redis", PATIENCE, "refused redis");
    }
    // Its copy of this hour comes back later, when it is not true any more.
    redis.tell(&["SAVE"]);
    log_out(&gatepost, &dead);
    for checker in &mut checkers {
        checker.comes_to_say(&dead.access, "refused redis", WITHIN + MARGIN, "");
    }
    for checker in &mut checkers {
        redis.tell(&["FLUSHALL"]);
        assert_ne!(checker.says(&dead.access).split(' ').next(), Some("good"));
        checker.comes_to_say(&good.access, "good redis", PATIENCE, "refused redis");
    }
    // What tells that the session has ended is gone; what vouched for its token is gone with it.
    redis.tell(&["FLUSHALL"]);
    redis.kill();
    for checker in &mut checkers {
        assert_eq!(checker.says(&good.access), "good gatepost");
        assert_eq!(checker.says(&dead.access), "refused gatepost");
    }
    redis.restart();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        for checker in &mut checkers {
            assert_ne!(checker.says(&dead.access).split(' ').next(), Some("good"));
        }
    }
    for checker in &mut checkers {
        checker.comes_to_say(&dead.access, "refused redis", PATIENCE, "good redis");
        checker.comes_to_say(&good.access, "good redis", PATIENCE, "refused redis");
    }
    redis.freeze();
    for checker in &mut checkers {
        assert_eq!(checker.says(&good.access), "good gatepost");
        assert_eq!(checker.says(&dead.access), "refused gatepost");
    }
    redis.thaw();
    redis.fill();
    std::thread::sleep(WITHIN + MARGIN);
    let other = account.login(&gatepost.client());
    for checker in &mut checkers {
        checker.comes_to_say(&other.access, "good gatepost", PATIENCE, "good redis");
    }
    log_out(&gatepost, &other);
    for checker in &mut checkers {
        checker.comes_to_say(&other.access, "refused gatepost", WITHIN + MARGIN, "");
    }
    redis.make_room();
    for checker in &mut checkers {
        checker.comes_to_say(&other.access, "refused redis", PATIENCE, "good redis");
    }
}

/// Gatepost is cut off from the Redis that others still read: what stands there is not relied on for longer than a second.
#[test]
fn cut_off_from_redis_nobody_relies_on_what_it_says() {
    let redis = Redis::start();
    let wire = Wire::to(&redis.address());
    let gatepost = postgres().redis(&redis.url_at(wire.port())).unlimited().start();
    let (_, pair) = logged_in(&gatepost);
    let mut checkers = Checker::both(&gatepost, &redis.url(), "HS256");
    for checker in &mut checkers {
        checker.comes_to_say(&pair.access, "good redis", PATIENCE, "refused redis");
    }
    wire.cut();
    log_out(&gatepost, &pair);
    std::thread::sleep(WITHIN + MARGIN);
    for checker in &mut checkers {
        assert_eq!(checker.says(&pair.access), "refused gatepost");
    }
    wire.mend();
    for checker in &mut checkers {
        checker.comes_to_say(&pair.access, "refused redis", PATIENCE, "good redis");
    }
}

/// With Redis gone and then the database: a second after a logout nobody is let in, anywhere.
#[test]
fn a_logout_holds_with_redis_and_then_the_database_cut_off() {
    let mut redis = Redis::start();
    let (setup, database) = postgres_over_a_wire();
    let setup = setup.redis(&redis.url()).unlimited();
    let (here, there) = (setup.start(), setup.start());
    let (_, pair) = logged_in(&here);
    let me = there.client().with_bearer(&pair.access);
    me.get("/api/users/me").expect(200);
    redis.kill();
    log_out(&here, &pair);
    let began = Instant::now();
    while me.get("/api/users/me").status != 401 {
        assert!(began.elapsed() < WITHIN + MARGIN);
    }
    let mut checkers = Checker::both(&there, &redis.url(), "HS256");
    for checker in &mut checkers {
        assert_eq!(checker.says(&pair.access), "refused gatepost");
    }
    database.cut();
    std::thread::sleep(WITHIN + MARGIN);
    for checker in &mut checkers {
        assert_ne!(checker.says(&pair.access).split(' ').next(), Some("good"));
    }
}
