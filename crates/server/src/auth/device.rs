//! What a client calls itself, in words that a person knows: `Firefox on Linux`.

/// Longer is cut. Browsers send less than 200 bytes.
pub const MAX_AGENT: usize = 255;

/// A kind of program on a kind of device. Without versions, so that an update makes no new device of it. Every word is one
/// of ours: nothing that a client sends stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Device {
    /// The program: a browser, mostly.
    pub app: Option<&'static str>,
    /// What it runs on.
    pub system: Option<&'static str>,
}

/// In this order: the later ones' marks stand in the earlier ones' texts too.
const APPS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("okhttp/", "okhttp"),
    ("Dart/", "Dart"),
    ("CFNetwork/", "CFNetwork"),
    ("PostmanRuntime/", "Postman"),
    ("python-requests/", "python-requests"),
    ("python-httpx/", "httpx"),
    ("aiohttp/", "aiohttp"),
    ("axios/", "axios"),
    ("node-fetch/", "node-fetch"),
    ("Go-http-client/", "Go"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "Mac"),
    ("Macintosh", "Mac"),
    ("CrOS", "Chrome OS"),
    ("Linux", "Linux"),
    ("Darwin/", "Apple"),
];

impl Device {
    /// Of a `User-Agent`, as far as it is known.
    pub fn of(agent: &str) -> Self {
        let end = agent.floor_char_boundary(MAX_AGENT);
        let agent = &agent[..end];
        let find = |known: &[(&str, &'static str)]| {
            known
                .iter()
                .find(|(mark, _)| agent.contains(mark))
                .map(|(_, name)| *name)
        };
        Self {
            app: find(APPS),
            system: find(SYSTEMS),
        }
    }

    /// `Firefox on Linux`; `None` if neither is known.
    pub fn words(self) -> Option<String> {
        match (self.app, self.system) {
            (Some(app), Some(system)) => Some(format!("{app} on {system}")),
            (known, other) => known.or(other).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_programs_are_told_in_two_words() {
        for (agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/139.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605.1.15",
                "Safari on Mac",
            ),
            ("okhttp/4.12.0", "okhttp"),
            ("curl/8.9.1", "curl"),
            ("python-requests/2.32", "python-requests"),
        ] {
            assert_eq!(Device::of(agent).words().as_deref(), Some(words), "{agent}");
        }
    }

    #[test]
    fn what_is_not_known_says_nothing_and_is_not_repeated() {
        for agent in ["", "<script>alert(1)</script>", "Mozilla/5.0", "ы"] {
            assert_eq!(Device::of(agent), Device::default(), "{agent}");
        }
        let far = format!("{}Firefox/140.0 Linux", "ы".repeat(4_000));
        assert_eq!(Device::of(&far), Device::default());
    }
}
