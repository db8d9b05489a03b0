//! Addresses that can only be had by parsing.
//!
//! What passes here is safe in an SMTP command and in a header: no CR, LF, space or control
//! character, lengths as in RFC 5321, the domain in its ASCII form.

use std::fmt;
use std::str::FromStr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Longest local part in octets (RFC 5321 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Longest address in octets: a path of 256 without its angle brackets (RFC 5321 4.5.3.1.3).
const MAX_ADDRESS: usize = 254;

/// An e-mail address that a mail server can be given.
///
/// The local part keeps its case, since only the receiving server knows what it means; the domain
/// is lower case and ASCII (IDNA, UTS 46). Equality is exact; to find an account use
/// [`canonical`](Self::canonical).
///
/// ```
/// use gatepost_mail::EmailAddress;
///
/// let address: EmailAddress = "Anna@MÜNCHEN.example".parse()?;
/// assert_eq!(address.as_str(), "Anna@xn--mnchen-3ya.example");
/// assert_eq!(address.canonical(), "anna@xn--mnchen-3ya.example");
/// assert_eq!(address.masked(), "A***@x***.example");
/// assert!("anna@example.com\r\nRCPT TO:<x@y.z>".parse::<EmailAddress>().is_err());
/// # Ok::<(), gatepost_mail::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    whole: String,
    at: usize,
}

/// Why a text is not an address that can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing there.
    #[error("an e-mail address is needed")]
    Empty,
    /// No `@`, or nothing before it.
    #[error("an e-mail address has a name, an @ and a domain")]
    NoAt,
    /// More than 64 octets before the `@`, or 254 in all.
    #[error("the e-mail address is too long")]
    TooLong,
    /// A character that no address may have, or quotes, which we do not take.
    #[error("the part before the @ has a character or a dot where none may be")]
    Local,
    /// Not a domain name.
    #[error("the part after the @ is not a domain name")]
    Domain,
}

impl EmailAddress {
    /// The address as it is given to a mail server.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// What stands before the `@`.
    pub fn local(&self) -> &str {
        &self.whole[..self.at]
    }

    /// The domain: ASCII, lower case.
    pub fn domain(&self) -> &str {
        &self.whole[self.at + 1..]
    }

    /// The form under which an account is found: NFKC and lower case, local part too.
    ///
    /// RFC 5321 lets a server tell `Anna` from `anna`; none of note does, and two accounts that a
    /// reader cannot tell apart are a way to take one over. Dots and `+tags` stay: whether they
    /// matter is the receiving server's business.
    pub fn canonical(&self) -> String {
        let local: String = self.local().nfkc().collect::<String>().to_lowercase();
        // Lower-casing can take a text out of NFKC (`İ` becomes `i` and a combining dot).
        let local: String = local.nfkc().collect();
        format!("{local}@{}", self.domain())
    }

    /// For logs and lists: `u***@e***.com`.
    pub fn masked(&self) -> String {
        fn first(text: &str) -> String {
            text.chars().next().map(String::from).unwrap_or_default()
        }
        let tail = match self.domain().rsplit_once('.') {
            Some((_, tld)) => format!(".{tld}"),
            None => String::new(),
        };
        format!("{}***@{}***{tail}", first(self.local()), first(self.domain()))
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoAt)?;
        if local.is_empty() {
            return Err(AddressError::NoAt);
        }
        if local.len() > MAX_LOCAL {
            return Err(AddressError::TooLong);
        }
        if local
            .split('.')
            .any(|atom| atom.is_empty() || !atom.chars().all(may_be_in_an_atom))
        {
            return Err(AddressError::Local);
        }
        let domain = Uts46::new()
            .to_ascii(
                domain.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .map_err(|_| AddressError::Domain)?;
        // `1.2.3.4` passes as four labels, but no mail is routed to it (RFC 3696 2: never all digits).
        if domain
            .rsplit('.')
            .next()
            .is_none_or(|tld| tld.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(AddressError::Domain);
        }
        let whole = format!("{local}@{domain}");
        if whole.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        // The message builder has the last word, so that building never fails for an address.
        lettre::Address::new(local, &*domain).map_err(|_| AddressError::Local)?;
        Ok(Self {
            at: local.len(),
            whole,
        })
    }
}

/// RFC 5322 `atext`, and what RFC 6531 adds, without what a reader cannot see.
fn may_be_in_an_atom(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    let unseen = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !c.is_whitespace() && !unseen
}

impl TryFrom<String> for EmailAddress {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.whole
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

/// Masked, since what is printed for debugging ends in logs.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({})", self.masked())
    }
}

/// Who a letter is from: a display name and an address.
///
/// ```
/// use gatepost_mail::Sender;
///
/// let sender: Sender = "Gatepost <noreply@example.com>".parse()?;
/// assert_eq!(sender.name.as_deref(), Some("Gatepost"));
/// # Ok::<(), gatepost_mail::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sender {
    /// The name that a mail program shows; without control characters.
    pub name: Option<String>,
    /// The address that answers would go to.
    pub address: EmailAddress,
}

impl FromStr for Sender {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        // The last one: a quoted name may hold others.
        let Some((name, rest)) = text.rsplit_once('<') else {
            return Ok(Self {
                name: None,
                address: text.parse()?,
            });
        };
        let address = rest.strip_suffix('>').ok_or(AddressError::Local)?.parse()?;
        let name = unquoted(&without_controls(name));
        let mut name = name.trim();
        // As often as they stand around it: what is written must be read as the same again.
        while let Some(inner) = inside_quotes(name) {
            name = inner.trim();
        }
        Ok(Self {
            name: (!name.is_empty()).then(|| name.to_owned()),
            address,
        })
    }
}

impl TryFrom<String> for Sender {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Sender> for String {
    fn from(sender: Sender) -> Self {
        sender.to_string()
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if name.contains(SPECIALS) => {
                let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "\"{quoted}\" <{}>", self.address)
            }
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// What a display name may only hold in quotes (RFC 5322 3.2.3): to a reader that goes by it, Python's for one,
/// `Shop, Inc. <shop@example.com>` is two addresses.
const SPECIALS: [char; 13] = ['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '.', '"'];

fn inside_quotes(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// What a quoted string says (RFC 5322 3.2.4); anything else as it is.
fn unquoted(text: &str) -> String {
    let Some(inner) = inside_quotes(text.trim()) else {
        return text.to_owned();
    };
    let mut said = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        said.push(match c {
            '\\' => chars.next().unwrap_or('\\'),
            other => other,
        });
    }
    said
}

/// Every control character becomes a space: in a header it could end the line.
pub(crate) fn without_controls(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_what_people_have() {
        for good in [
            "a@b.co",
            "first.last+tag@sub.example.com",
            "o'neil@example.com",
            "user@localhost",
            "anna@münchen.example",
            "анна@пример.рф",
            "x_y-z@r3---sn.example.com",
        ] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_what_could_break_a_command_or_a_header() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_domain = format!("a@{}.com", "b".repeat(64));
        let long = format!("a@{}com", "bbbbbbbbb.".repeat(26));
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a b@c.de",
            "a@b c.de",
            "a@b.de\r\n",
            "a\n@b.de",
            "a@b\0.de",
            "\"a b\"@c.de",
            "a@[1.2.3.4]",
            "a@1.2.3.4",
            ".a@b.de",
            "a.@b.de",
            "a..b@c.de",
            "a@-b.de",
            "a@b..de",
            "a@b.de.",
            "<a@b.de>",
            "a@b@c.de",
            "a,b@c.de",
            "a\u{200b}b@c.de",
            "a@b.de>RCPT TO:<x@y.z",
            &long_local,
            &long_domain,
            &long,
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_account_for_spellings_that_look_the_same() {
        let canonical = |text: &str| text.parse::<EmailAddress>().unwrap().canonical();
        assert_eq!(canonical("Anna@Example.COM"), canonical("anna@example.com"));
        assert_eq!(canonical("ａnna@example.com"), canonical("anna@example.com"));
        assert_ne!(canonical("anna+x@example.com"), canonical("anna@example.com"));
    }

    #[test]
    fn debug_shows_no_address() {
        let address: EmailAddress = "someone@example.com".parse().unwrap();
        assert_eq!(format!("{address:?}"), "EmailAddress(s***@e***.com)");
    }

    #[test]
    fn a_sender_is_read_as_it_was_written() {
        for (text, name) in [
            ("\"Anna B.\" <a@b.co>", Some("Anna B.")),
            ("Anna \"B\" <a@b.co>", Some("Anna \"B\"")),
            ("\u{1}\"Anna <a@b.co>", Some("\"Anna")),
            ("\" \"\" \" <a@b.co>", None),
            ("\" <a@b.co>", Some("\"")),
            ("Shop, Inc. <a@b.co>", Some("Shop, Inc.")),
            ("\"Anna \\\"B\\\" \\\\ <x>\" <a@b.co>", Some("Anna \"B\" \\ <x>")),
        ] {
            let sender: Sender = text.parse().unwrap();
            assert_eq!(sender.name.as_deref(), name, "{text:?}");
            assert_eq!(sender.to_string().parse::<Sender>(), Ok(sender), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_others_would_misread_is_quoted() {
        for (name, written) in [
            ("Shop", "Shop <a@b.co>"),
            ("Shop, Inc.", "\"Shop, Inc.\" <a@b.co>"),
            ("Anna \"B\"", "\"Anna \\\"B\\\"\" <a@b.co>"),
            ("Магазин", "Магазин <a@b.co>"),
        ] {
            let sender = Sender {
                name: Some(name.to_owned()),
                address: "a@b.co".parse().unwrap(),
            };
            assert_eq!(sender.to_string(), written);
        }
    }

    proptest! {
        #[test]
        fn a_sender_that_parses_is_read_again(name in "([ \\\\\"<>,a]|\\PC){0,12}") {
            if let Ok(sender) = format!("{name} <a@b.co>").parse::<Sender>() {
                prop_assert_eq!(sender.to_string().parse::<Sender>(), Ok(sender));
            }
        }

        #[test]
        fn what_parses_fits_a_command(text in "\\PC{0,40}@\\PC{0,40}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert!(!address.as_str().chars().any(|c| c.is_control() || c.is_whitespace() || c == '<' || c == '>'));
                prop_assert!(address.domain().is_ascii());
                let again: EmailAddress = address.as_str().parse().unwrap();
                prop_assert_eq!(&again, &address);
                let canonical: String = address.canonical();
                let twice = canonical.parse::<EmailAddress>().map(|a| a.canonical());
                prop_assert!(twice.is_err() || twice.unwrap() == canonical);
            }
        }
    }
}
