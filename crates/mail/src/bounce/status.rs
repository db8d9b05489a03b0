//! Enhanced status codes (RFC 3463).

use std::fmt;

/// `5.1.1`: the mailbox does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// 2 done, 4 not now, 5 never.
    pub class: u16,
    /// 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy, 0 anything.
    pub subject: u16,
    /// What about it.
    pub detail: u16,
}

impl Status {
    /// The first code in a text, wherever it stands: `smtp; 550 5.1.1 nobody`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.')
            .find_map(Self::read)
    }

    fn read(word: &str) -> Option<Self> {
        let mut numbers = word.trim_end_matches('.').split('.');
        let mut next = |longest: usize| {
            let number = numbers.next()?;
            (!number.is_empty() && number.len() <= longest).then_some(())?;
            number.parse().ok()
        };
        let (class, subject, detail) = (next(1)?, next(3)?, next(3)?);
        (matches!(class, 2 | 4 | 5) && numbers.next().is_none()).then_some(Self {
            class,
            subject,
            detail,
        })
    }

    /// Of the code that a report gives and the one in the words of whoever refused the letter, the one that
    /// says more: many write 5.0.0 above "550 5.1.1 unknown".
    pub(super) fn best(given: Option<Self>, quoted: Option<Self>) -> Option<Self> {
        match (given, quoted) {
            (Some(given), Some(quoted)) if given.subject == 0 && quoted.class == given.class => Some(quoted),
            (given, quoted) => given.or(quoted),
        }
    }

    /// Whether it says that there is no such mailbox: 5.1.x, but for what is said of the sender (5.1.7 and 5.1.8).
    pub fn names_no_mailbox(self) -> bool {
        self.class == 5 && self.subject == 1 && !matches!(self.detail, 7 | 8)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
