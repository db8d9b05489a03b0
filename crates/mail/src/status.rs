//! Enhanced status codes (RFC 3463), in replies of mail servers and in reports of letters that came back.

use std::fmt;

/// An enhanced status code (RFC 3463), such as 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// 2 taken, 4 for now, 5 for good.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 routing, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// More closely.
    pub detail: u16,
}

impl Status {
    /// The first code in a text, wherever it stands: `smtp; 550 5.1.1 nobody`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.')
            .find_map(|word| Self::parse(word.trim_end_matches('.')))
    }

    /// Reads `5.7.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?;
        let mut number = || {
            let part = parts.next()?;
            let short = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| short)
        };
        let (subject, detail) = (number()?, number()?);
        let class = class.parse().ok()?;
        parts.next().is_none().then_some(Self {
            class,
            subject,
            detail,
        })
    }

    /// Of the code that a report gives and the one in the words of whoever refused the letter, the one that
    /// says more: many write 5.0.0 above "550 5.1.1 unknown".
    pub(crate) fn best(given: Option<Self>, quoted: Option<Self>) -> Option<Self> {
        match (given, quoted) {
            (Some(given), Some(quoted)) if given.subject == 0 && quoted.class == given.class => Some(quoted),
            (given, quoted) => given.or(quoted),
        }
    }

    /// x.7.x: about security or policy, which for many letters in a row means us, not their readers.
    pub fn is_policy(self) -> bool {
        self.subject == 7
    }

    /// 5.1.x about the recipient: there is no such mailbox or domain. (5.1.7 and 5.1.8 are about the sender.)
    pub fn names_no_mailbox(self) -> bool {
        self.class == 5 && self.subject == 1 && !matches!(self.detail, 7 | 8)
    }

    /// x.2.2: the mailbox is full, which passes.
    pub fn is_mailbox_full(self) -> bool {
        self.subject == 2 && self.detail == 2
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_enhanced_codes_and_nothing_else() {
        let status = Status::parse("5.7.26").unwrap();
        assert!(status.is_policy() && status.to_string() == "5.7.26");
        assert!(Status::parse("5.1.1").unwrap().names_no_mailbox());
        assert!(!Status::parse("5.1.8").unwrap().names_no_mailbox());
        assert!(Status::parse("4.2.2").unwrap().is_mailbox_full());
        for bad in [
            "", "5", "5.1", "5.1.1.1", "3.1.1", "5.1.x", "5..1", "5.1.1111", "5.+1.1", "no",
        ] {
            assert_eq!(Status::parse(bad), None, "{bad}");
        }
    }
}
