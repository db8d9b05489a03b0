//! Captured letters.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, escape};

const PATIENCE: Duration = Duration::from_mins(1);

/// A captured letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its id in the capture box.
    pub id: String,
    /// The letter's name, `activate_account` for one.
    pub template: String,
    /// The text part.
    pub text: String,
}

impl Letter {
    /// All letters to an address so far; the client needs a key with `mail:read`.
    #[track_caller]
    pub fn all(reader: &Client, to: &str) -> Vec<Self> {
        let list = reader
            .get(&format!("/api/inbox?limit=500&to={}", escape(to)))
            .expect(200)
            .json();
        let items = list["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|item| {
                let id = text(item, "id");
                let whole = reader
                    .get(&format!("/api/inbox/{}", escape(&id)))
                    .expect(200)
                    .json();
                Self {
                    id,
                    template: text(&whole, "template"),
                    text: text(&whole, "text"),
                }
            })
            .collect()
    }

    /// Waits until there are `count` letters of this template to an address; gives them in order.
    #[track_caller]
    pub fn wait(reader: &Client, to: &str, template: &str, count: usize) -> Vec<Self> {
        let began = Instant::now();
        loop {
            let mut letters = Self::all(reader, to);
            letters.retain(|letter| letter.template == template);
            if letters.len() >= count {
                return letters;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{} of {count} letters {template} after {PATIENCE:?}",
                letters.len()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Path and query of its link.
    #[track_caller]
    pub fn link(&self) -> String {
        link_in(&self.text).unwrap_or_else(|| panic!("no link in the letter {}", self.template))
    }

    /// The token of its link.
    #[track_caller]
    pub fn token(&self) -> String {
        self.link()
            .split_once("token=")
            .expect("a link has a token")
            .1
            .to_owned()
    }
}

/// Path and query of the first link with a token that stands whole on a line.
pub(crate) fn link_in(text: &str) -> Option<String> {
    let line = text
        .lines()
        .map(str::trim)
        .find(|l| l.starts_with("http") && l.contains("?token="))?;
    let path = line.split_once("://")?.1;
    path.find('/').map(|slash| path[slash..].to_owned())
}

fn text(item: &Value, field: &str) -> String {
    item[field].as_str().unwrap_or_default().to_owned()
}
