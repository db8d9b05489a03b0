//! A browser without JavaScript: it keeps cookies, fills forms, and follows where it is sent.

use std::collections::BTreeMap;

use gatepost::testing::{Answer, TestApp};

/// One person's browser.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What it shows.
#[derive(Debug)]
pub(crate) struct Shown {
    answer: Answer,
    pub(crate) body: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookies: BTreeMap::new(),
        }
    }

    /// One request, no redirect followed.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        address: &str,
        body: Option<String>,
        more: &[(&str, &str)],
    ) -> Shown {
        let mut request = self.app.request(method, path(address));
        if !more.iter().any(|(name, _)| *name == "user-agent") {
            request = request.header("user-agent", "Test/1.0");
        }
        if !more.iter().any(|(name, _)| *name == "accept") {
            request = request.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        }
        for (name, value) in more {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("cookie", &pairs.join("; "));
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .bytes(body.into_bytes());
        }
        let answer = request.send().await;
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = String::from_utf8(answer.bytes.clone()).unwrap();
        Shown { answer, body }
    }

    /// Opens an address and follows where it leads.
    pub(crate) async fn open(&mut self, address: &str) -> Shown {
        let shown = self.send("GET", address, None, &[]).await;
        self.follow(shown).await
    }

    /// Sends fields to an address, as its form would, and follows where that leads.
    pub(crate) async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Shown {
        let shown = self
            .send(
                "POST",
                address,
                Some(encoded(fields)),
                &[("sec-fetch-site", "same-origin")],
            )
            .await;
        self.follow(shown).await
    }

    async fn follow(&mut self, mut shown: Shown) -> Shown {
        while shown.status() == 303 {
            let to = shown.header("location").to_owned();
            shown = self.send("GET", &to, None, &[]).await;
        }
        shown
    }
}

impl Shown {
    pub(crate) fn status(&self) -> u16 {
        self.answer.status
    }

    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.answer.header(name).unwrap_or_default()
    }

    /// All headers, with those that differ every time left out.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let volatile = ["x-request-id", "date"];
        self.answer
            .headers
            .iter()
            .filter(|(name, _)| !volatile.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    /// The page, which has to have this status and to hold what pages hold.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "{}", self.body);
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(self.header("referrer-policy"), "no-referrer");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        let policy = self.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("script-src"),
            "{policy}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.body.contains(text), "{text:?} is not in {}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn says_not(self, text: &str) -> Self {
        assert!(!self.body.contains(text), "{text:?} is in {}", self.body);
        self
    }

    /// The value of the first input of that name.
    #[track_caller]
    pub(crate) fn input(&self, name: &str) -> String {
        let named = format!("name=\"{name}\"");
        let at = self
            .body
            .find(&named)
            .unwrap_or_else(|| panic!("no input {name} in {}", self.body));
        let tag = &self.body[at..at + self.body[at..].find('>').unwrap()];
        let value = tag
            .split("value=\"")
            .nth(1)
            .unwrap_or("")
            .split('"')
            .next()
            .unwrap();
        value
            .replace("&#x2f;", "/")
            .replace("&amp;", "&")
            .replace("&#x3d;", "=")
    }
}

/// Fields as a form sends them.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(fields).unwrap()
}

/// An address without its scheme and host.
fn path(address: &str) -> &str {
    match address.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => address,
    }
}
