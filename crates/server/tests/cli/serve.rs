//! `gatepost serve`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};

use serde_json::Value;

use crate::place::{Place, on_both};

on_both!(it_says_where_it_is_works_and_ends_in_order);

/// A program that runs, and what it said at its start.
struct Running {
    child: Child,
    said: Value,
}

impl Running {
    fn start(place: &mut Place) -> Self {
        place.set("GATEPOST__HTTP__BIND", "127.0.0.1:0");
        place.set("GATEPOST__SHUTDOWN__DRAIN", "0s");
        place.set("GATEPOST__LOG__LEVEL", "debug");
        let mut child = place.start(&["--json", "serve"]);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it said {line:?}"));
        Self { child, said }
    }

    fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.said["address"].as_str().unwrap());
        ureq::get(&url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap()
    }

    /// Tells it to end, and waits; its exit code.
    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn it_says_where_it_is_works_and_ends_in_order(place: &Place) {
    let mut place = place.again();
    let running = Running::start(&mut place);
    assert_eq!(running.get("/readyz"), "{\"status\":\"ready\"}");
    assert_eq!(running.said["needs_administrator"], true);
    assert_eq!(
        running.said["public_url"],
        format!("http://{}", running.said["address"].as_str().unwrap())
    );

    // The command line works beside it, and its worker sends what the command line asks for.
    let send = [
        "mail",
        "send",
        "--to",
        "ann@example.com",
        "--title",
        "Hello",
        "--message",
        "It works.",
        "--wait",
    ];
    assert!(place.run(&send).good().ends_with(" sent"));
    let link = place.run(&["--json", "admin", "link"]).json();
    let token = link["url"]
        .as_str()
        .unwrap()
        .rsplit_once('=')
        .unwrap()
        .1
        .to_owned();

    let address = running.said["address"].as_str().unwrap().to_owned();
    let mut second = place.again();
    second.set("GATEPOST__HTTP__BIND", &address);
    second.run(&["serve"]).refused(1, "http.bind");

    assert_eq!(running.end(), Some(0));
    let log = place.path("gatepost-data/logs/app.log");
    assert_eq!(
        std::fs::metadata(&log).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "one object a line"
    );
    assert!(
        text.contains("listening") && text.contains("ended in order"),
        "{text}"
    );
    assert!(
        !text.contains(&token) && !text.contains("ann@example.com"),
        "{text}"
    );
    assert!(!text.contains("set-up?token"), "{text}");
}

#[test]
fn openapi_json_is_what_the_program_says() {
    let mut place = Place::sqlite();
    let running = Running::start(&mut place);
    let said = running.get("/openapi.json");
    assert_eq!(running.end(), Some(0));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    if std::env::var_os("GATEPOST_WRITE").is_some() {
        std::fs::write(path, &said).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == said,
        "openapi.json is not up to date: GATEPOST_WRITE=1 cargo test -p gatepost --test cli openapi"
    );
}
