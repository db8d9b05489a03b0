//! The capture box, read over HTTP.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::client::{Client, escape};
use super::report::Unmet;

/// A letter goes out within a second; a busy machine may need longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(40);

/// The letters to one address, each handed out once.
#[derive(Debug)]
pub(super) struct Inbox {
    key: String,
    to: String,
    read: HashSet<String>,
}

/// A captured letter.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
}

impl Inbox {
    pub(super) fn new(key: &str, to: &str) -> Self {
        Self {
            key: key.to_owned(),
            to: to.to_owned(),
            read: HashSet::new(),
        }
    }

    /// Waits for a letter made from `template` that was not handed out before.
    pub(super) fn wait(&mut self, client: &Client, template: &str) -> Result<Letter, Unmet> {
        let began = Instant::now();
        let path = format!("/api/inbox?to={}&limit=500", escape(&self.to));
        loop {
            let list = client.get(&path, Some(&self.key))?.expect(200)?;
            let json = list.json();
            let items = json["items"]
                .as_array()
                .ok_or_else(|| list.unlike("items in the capture box"))?;
            for item in items {
                let Some(id) = item["id"].as_str() else { continue };
                if item["template"] != template || !self.read.insert(id.to_owned()) {
                    continue;
                }
                let whole = client
                    .get(&format!("/api/inbox/{}", escape(id)), Some(&self.key))?
                    .expect(200)?;
                return Ok(Letter {
                    subject: whole.need("/subject")?,
                    text: whole.need("/text")?,
                });
            }
            if began.elapsed() > PATIENCE {
                let came = format!("{} letters, none of them new and of that kind", items.len());
                return Err(Unmet::new(
                    format!("the letter {template} within {} s", PATIENCE.as_secs()),
                    came,
                ));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Letter {
    /// Path and query of the link to `page`, which stands whole on a line of the text part.
    pub(super) fn link(&self, page: &str) -> Result<String, Unmet> {
        let marker = format!("{page}?token=");
        let link = self.text.lines().map(str::trim).find_map(|line| {
            let at = line.find(&marker)?;
            (line.starts_with("http") && !line.contains(char::is_whitespace)).then(|| line[at..].to_owned())
        });
        link.ok_or_else(|| Unmet::new(format!("a line with the link {marker}..."), "a letter without it"))
    }
}
