//! What letters need to know about whom they are from.

use serde::Serialize;

/// Whom letters are from: what templates see as `site`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    name: String,
    url: Option<String>,
}

impl Site {
    /// A sender that readers know as `name`; in the server the display name of `mail.from`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: None,
        }
    }

    /// The site's own address, `http` or `https`, shown at the end of every letter; in the server
    /// `http.public_url`.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new("Gatepost")
    }
}
