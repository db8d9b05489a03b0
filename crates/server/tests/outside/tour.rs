//! `gatepost tour` itself, as its user runs it.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{postgres, sqlite};

#[test]
fn the_tour_of_a_throw_away_instance_holds() {
    // Only for its folder and its command: the tour starts an instance of its own.
    let gatepost = sqlite().start();
    let output = gatepost.cli(&["tour"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(told.matches('✓').count(), 24, "{told}");
    eprintln!("{told}");
}

#[test]
fn the_tour_of_a_running_instance_on_postgresql_holds() {
    let gatepost = postgres().start();
    let key = gatepost.key(&["mail:read"]);
    let output = gatepost.cli(&["tour", "--url", &gatepost.base(), "--key", &key, "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(
        output.status.success(),
        "{told:#}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(told["held"], true, "{told:#}");
    for step in told["steps"].as_array().expect("steps") {
        assert_eq!(step["held"], true, "{step}");
    }
}

#[test]
fn a_step_that_does_not_hold_is_told_and_the_exit_code_says_so() {
    let gatepost = sqlite().start();
    // A key that may not read the capture box: the letter cannot be found.
    let key = gatepost.key(&["mail:send"]);
    let output = gatepost.cli(&["tour", "--url", &gatepost.base(), "--key", &key]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("✗") && told.contains("expected") && told.contains("scope_missing"),
        "{told}"
    );
}

#[test]
fn nothing_to_walk_through_is_exit_code_3() {
    let gatepost = sqlite().start();
    let output = gatepost.cli(&["tour", "--url", "http://127.0.0.1:9", "--key", "gp_none"]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = gatepost.cli(&["tour", "--url", "127.0.0.1:9", "--key", "gp_none"]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn an_interrupted_tour_leaves_nothing_behind() {
    let gatepost = sqlite().start();
    for wait in [0, 40, 120, 300] {
        let temporary = tempfile::tempdir().unwrap();
        let mut tour = gatepost
            .command()
            .env("TMPDIR", temporary.path())
            .arg("tour")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Before its instance is started, while it starts, and while it is walked through.
        std::thread::sleep(Duration::from_millis(100 + wait));
        let id = tour.id().to_string();
        assert!(
            Command::new("sh")
                .args(["-c", &format!("kill -INT {id}")])
                .status()
                .unwrap()
                .success()
        );
        assert!(!tour.wait().unwrap().success());
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
