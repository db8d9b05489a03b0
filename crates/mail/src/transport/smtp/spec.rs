//! `smtp://user:pass@host:587?tls=required`, read.

use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use crate::transport::TransportError;

/// How a mail server is reached.
#[derive(Debug, Clone)]
pub struct SmtpSpec {
    /// Name or address of the server; what its certificate must be for.
    pub host: String,
    /// 587 for `smtp://` and 465 for `smtps://` unless given (RFC 6409, RFC 8314).
    pub port: u16,
    /// Whether the dialogue is encrypted.
    pub tls: TlsMode,
    /// Who logs in, if anybody.
    pub credentials: Option<(String, SecretString)>,
    /// How (`?auth=`).
    pub auth: AuthMethod,
    /// The name said in `EHLO` (`?hello=`); without it the address of our end.
    pub hello: Option<String>,
    /// How long each step may take.
    pub timeouts: Timeouts,
}

/// Whether the dialogue is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// From the first byte on (`smtps://`).
    Implicit,
    /// By `STARTTLS`, or nothing is sent. The default.
    Required,
    /// By `STARTTLS` if the server has it. A password is never sent without it.
    Opportunistic,
    /// Never. For a server on the same machine.
    None,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// PLAIN if it is offered, else LOGIN. The default.
    Any,
    /// PLAIN, whatever is offered.
    Plain,
    /// LOGIN, whatever is offered.
    Login,
    /// A token in place of the password: Google's and Microsoft's XOAUTH2. The token comes from a file, or
    /// stands in the URL as the password.
    XOAuth2,
}

/// How long the server may take, by step. The defaults are those of RFC 5321 4.5.3.2, but for the steps
/// before the first letter: there the next server can be asked instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To look up the name and connect: 10 s.
    pub connect: Duration,
    /// For the greeting: 1 min.
    pub greeting: Duration,
    /// For `EHLO`, TLS and each step of `AUTH`: 1 min.
    pub hello: Duration,
    /// For `MAIL`, `RCPT` and `RSET`: 5 min.
    pub command: Duration,
    /// For the answer to `DATA`: 2 min.
    pub data: Duration,
    /// For taking each block of the content: 3 min.
    pub block: Duration,
    /// For the answer to the final dot: 10 min. A shorter wait sends letters twice (RFC 1047).
    pub dot: Duration,
}

impl Timeouts {
    /// The same for every step, for tests.
    pub fn each(step: Duration) -> Self {
        Self {
            connect: step,
            greeting: step,
            hello: step,
            command: step,
            data: step,
            block: step,
            dot: step,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            greeting: Duration::from_mins(1),
            hello: Duration::from_mins(1),
            command: Duration::from_mins(5),
            data: Duration::from_mins(2),
            block: Duration::from_mins(3),
            dot: Duration::from_mins(10),
        }
    }
}

impl SmtpSpec {
    /// Reads one URL, or several with a comma between them: the servers in the order in which they are
    /// tried. Only a comma before another `smtp://` or `smtps://` counts, so that a password may hold one.
    pub fn parse_all(urls: &str) -> Result<Vec<Self>, TransportError> {
        split_urls(urls).into_iter().map(str::parse).collect()
    }
}

/// Cuts at the commas that another URL follows.
pub fn split_urls(urls: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in urls.match_indices(',') {
        let next = urls[at + 1..].trim_start();
        if next.starts_with("smtp://") || next.starts_with("smtps://") {
            parts.push(urls[start..at].trim());
            start = at + 1;
        }
    }
    parts.push(urls[start..].trim());
    parts
}

impl FromStr for SmtpSpec {
    type Err = TransportError;

    fn from_str(url: &str) -> Result<Self, TransportError> {
        // The URL holds a password, so no error repeats it.
        let wrong = |what: &str| TransportError::Spec(what.to_owned());
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("expected smtp://host or smtps://host"))?;
        let implicit = match scheme {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(wrong("expected smtp://host or smtps://host")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, server) = match rest.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, rest),
        };
        let oauth = query.split('&').any(|pair| pair == "auth=xoauth2");
        let credentials = login.map(|login| credentials(login, oauth)).transpose()?;
        let (host, port) = host_and_port(server)?;
        let mut spec = Self {
            host,
            port: port.unwrap_or(if implicit { 465 } else { 587 }),
            tls: if implicit {
                TlsMode::Implicit
            } else {
                TlsMode::Required
            },
            credentials,
            auth: AuthMethod::Any,
            hello: None,
            timeouts: Timeouts::default(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (key, value) {
                ("tls", "required") if !implicit => spec.tls = TlsMode::Required,
                ("tls", "opportunistic") if !implicit => spec.tls = TlsMode::Opportunistic,
                ("tls", "none") if !implicit => spec.tls = TlsMode::None,
                ("tls", "required" | "opportunistic" | "none") => {
                    return Err(wrong("smtps:// is always encrypted; leave tls= out"));
                }
                ("tls", _) => return Err(wrong("tls is required, opportunistic or none")),
                ("hello", name) if is_host(name) => spec.hello = Some(name.to_owned()),
                ("hello", _) => return Err(wrong("hello is a host name")),
                ("auth", "plain") => spec.auth = AuthMethod::Plain,
                ("auth", "login") => spec.auth = AuthMethod::Login,
                ("auth", "xoauth2") => spec.auth = AuthMethod::XOAuth2,
                ("auth", _) => return Err(wrong("auth is plain, login or xoauth2")),
                _ => return Err(wrong("only tls=, auth= and hello= may follow the ?")),
            }
        }
        if spec.auth != AuthMethod::Any && spec.credentials.is_none() {
            return Err(wrong("auth= needs a user before the @"));
        }
        Ok(spec)
    }
}

/// User and password; with a token from a file the user alone will do.
fn credentials(login: &str, oauth: bool) -> Result<(String, SecretString), TransportError> {
    let wrong =
        || TransportError::Spec("expected user:password before the @, special characters as %40".to_owned());
    let (user, password) = match login.split_once(':') {
        Some(both) => both,
        None if oauth => (login, ""),
        None => return Err(wrong()),
    };
    let user = percent_decoded(user).ok_or_else(wrong)?;
    let password = percent_decoded(password).ok_or_else(wrong)?;
    // NUL separates the two in AUTH PLAIN (RFC 4616).
    if user.is_empty() || user.contains('\0') || password.contains('\0') {
        return Err(wrong());
    }
    Ok((user, SecretString::from(password)))
}

fn host_and_port(server: &str) -> Result<(String, Option<u16>), TransportError> {
    let wrong = |what: &str| TransportError::Spec(what.to_owned());
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| wrong("an IPv6 address ends with ]"))?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| wrong("not an IPv6 address"))?;
            (host, rest.strip_prefix(':'))
        }
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    if !server.starts_with('[') && !is_host(host) {
        return Err(wrong("the host is missing or no host name"));
    }
    let port = port
        .map(|port| port.parse::<u16>().map_err(|_| wrong("the port is no number")))
        .transpose()?;
    Ok((host.to_owned(), port))
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        out.push(digit(bytes.next()?)? * 16 + digit(bytes.next()?)?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn reads_what_the_contract_writes() {
        let spec: SmtpSpec = "smtp://user%40x:p%3Ass@mx.example.com:2525?tls=opportunistic&hello=app.example"
            .parse()
            .unwrap();
        assert_eq!(
            (spec.host.as_str(), spec.port, spec.tls),
            ("mx.example.com", 2525, TlsMode::Opportunistic)
        );
        let (user, password) = spec.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("user@x", "p:ss"));
        assert_eq!(spec.hello.as_deref(), Some("app.example"));
        assert!(!format!("{spec:?}").contains("p:ss"));

        let spec: SmtpSpec = "smtp://me%40x.example@smtp.x.example?auth=xoauth2"
            .parse()
            .unwrap();
        assert_eq!(spec.auth, AuthMethod::XOAuth2);
        let both = SmtpSpec::parse_all("smtp://u:a,b@one, smtps://two").unwrap();
        assert_eq!((both.len(), both[0].host.as_str(), both[1].port), (2, "one", 465));
        let spec: SmtpSpec = "smtps://mx".parse().unwrap();
        assert_eq!((spec.port, spec.tls), (465, TlsMode::Implicit));
        let spec: SmtpSpec = "smtp://[::1]:25?tls=none".parse().unwrap();
        assert_eq!((spec.host.as_str(), spec.port), ("::1", 25));
        let spec: SmtpSpec = "smtp://mx".parse().unwrap();
        assert_eq!((spec.port, spec.tls), (587, TlsMode::Required));
    }

    #[test]
    fn names_what_is_wrong_without_the_password() {
        for bad in [
            "http://mx",
            "smtp://",
            "smtp://u:hunter2@",
            "smtp://u:hunter2@mx:port",
            "smtp://hunter2@mx",
            "smtp://u:hunter2@mx?tls=maybe",
            "smtp://u:hunter2@mx?pool=3",
            "smtps://u:hunter2@mx?tls=none",
            "smtp://u:hunter2%0@mx",
            "smtp://u:hunter2%00@mx",
            "smtp://[::1",
            "smtp://mx?auth=plain",
            "smtp://u:hunter2@mx?auth=cram-md5",
            "smtp://u@mx?auth=plain",
        ] {
            let error = bad.parse::<SmtpSpec>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
