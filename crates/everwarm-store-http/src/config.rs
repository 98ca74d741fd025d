//! What a store behind HTTP is told: where, as whom, how safely, and what the server offers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::{deadline, size};
use everwarm_network::options::span;

use crate::contract::{LARGEST_BODY, decoded};

const OPTIONS: [&str; 8] = [
    "timeout",
    "connect_timeout",
    "token_env",
    "token_file",
    "ca",
    "facets",
    "connections",
    "max_value",
];

const FORMS: &str = "write \"http://host:8080\" or \"https://cache.internal/prefix\"";

/// The facets of the contract, by their names.
pub const FACETS: [&str; 9] = [
    "counters",
    "conditional",
    "leases",
    "scan",
    "touch",
    "generations",
    "notify",
    "suspend",
    "health",
];

/// A secret word. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, without the space around it.
    ///
    /// # Errors
    /// `Config` if it is empty, or has characters that no header may have.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::config(
                "this is no token",
                "use letters, digits and signs of ASCII, such as `openssl rand -hex 32` gives",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret as a text, for who sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Its bytes, to be compared in a time that does not tell of them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(***)")
    }
}

/// Where the token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Here.
    Here(Token),
    /// In this variable of the environment.
    Variable(String),
    /// In this file.
    File(PathBuf),
}

/// Where a store is, as whom it asks, and how long it waits.
///
/// ```
/// use everwarm_store_http::Config;
///
/// let config = Config::from_url("https://cache.internal/shop?token_env=CACHE_TOKEN")?;
/// assert_eq!((config.host.as_str(), config.port), ("cache.internal", 443));
/// let error = Config::from_url("http://localhost?facet=none").unwrap_err();
/// assert!(error.hint().contains("facets"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether connections are encrypted. The server's certificate is always verified.
    pub is_encrypted: bool,
    /// The host.
    pub host: String,
    /// The port: 80 by default, with TLS 443.
    pub port: u16,
    /// What stands before the paths of the contract: nothing, or `/prefix`.
    pub prefix: String,
    /// What shows the server who asks.
    pub secret: Option<Secret>,
    /// The file of the authorities that are trusted; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// The facets that the server's store has: all of them by default.
    pub facets: Vec<&'static str>,
    /// How many connections there are at most: 64 by default.
    pub connections: usize,
    /// Bytes of a value, at most: as many as the server takes in a body, 64 MiB by default.
    pub max_value: u64,
    /// How long an operation may take, beside 10 ms for each MiB: 2 s by default.
    pub timeout: Duration,
    /// How long it may take to connect: 1 s by default.
    pub connect_timeout: Duration,
}

impl Config {
    /// What a URL says. No file is looked at, and no variable.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No secret is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| Error::config("what names a store behind HTTP is no URL", FORMS))?;
        let is_encrypted = match scheme {
            "http" => false,
            "https" => true,
            _ => {
                return Err(Error::config(
                    "that is no scheme of a store behind HTTP",
                    FORMS,
                ));
            }
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        if host.contains('@') || path.contains('@') || query.contains('@') {
            return Err(Error::config(
                "the URL has a user or a password",
                "a token says who asks: token_env=NAME names the variable that it is in",
            ));
        }
        let (host, port) = address(host, is_encrypted)?;
        let mut config = Self {
            is_encrypted,
            host,
            port,
            prefix: prefix(path)?,
            secret: None,
            ca: None,
            facets: FACETS.to_vec(),
            connections: 64,
            max_value: LARGEST_BODY,
            timeout: deadline::of("http"),
            connect_timeout: Duration::from_secs(1),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text| decoded(text).ok_or_else(undecodable);
            config.take(&decoded(option)?, &decoded(text)?)?;
        }
        if config.ca.is_some() && !is_encrypted {
            return Err(Error::config(
                "ca= does nothing without TLS",
                "write https://, or leave it out",
            ));
        }
        Ok(config)
    }

    /// The scheme of its URL.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.is_encrypted { "https" } else { "http" }
    }

    /// The host and the port, as they stand in a URL and in a request.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whether the server is said to have a facet.
    pub(crate) fn offers(&self, facet: &str) -> bool {
        self.facets.contains(&facet)
    }

    fn take(&mut self, option: &str, text: &str) -> Result<(), Error> {
        match option {
            "timeout" => self.timeout = span(text)?,
            "connect_timeout" => self.connect_timeout = span(text)?,
            "token_env" => self.told(Secret::Variable(text.to_owned()), text)?,
            "token_file" => self.told(Secret::File(text.into()), text)?,
            "ca" => self.ca = Some(text.into()),
            "facets" => self.facets = facets(text)?,
            "connections" => self.connections = count(text)?,
            "max_value" => self.max_value = bytes(text)?,
            "token" => {
                return Err(Error::config(
                    "a token in a URL is seen by everybody who sees the URL",
                    "put it in a variable or a file: token_env=NAME or token_file=/path",
                ));
            }
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }

    fn told(&mut self, secret: Secret, text: &str) -> Result<(), Error> {
        if text.is_empty() || self.secret.is_some() {
            return Err(Error::config(
                "one place has the token",
                "name one: token_env=NAME or token_file=/path",
            ));
        }
        self.secret = Some(secret);
        Ok(())
    }
}

/// The place, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.authority(), self.prefix)
    }
}

fn address(text: &str, is_encrypted: bool) -> Result<(String, u16), Error> {
    let wrong = || Error::config("the URL names no host, or a port that is none", FORMS);
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or_else(wrong)?),
            };
            (host, port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err(wrong());
    }
    let port = match port {
        None if is_encrypted => 443,
        None => 80,
        Some(port) => port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or_else(wrong)?,
    };
    Ok((host.to_owned(), port))
}

fn prefix(path: &str) -> Result<String, Error> {
    let path = path.trim_end_matches('/');
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    if !path.bytes().all(is_path) {
        return Err(Error::config(
            "the path of the URL has signs that no path has",
            "encode them, as URLs do",
        ));
    }
    Ok(match path {
        "" => String::new(),
        path => format!("/{path}"),
    })
}

fn facets(text: &str) -> Result<Vec<&'static str>, Error> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let find = |name: &str| FACETS.into_iter().find(|facet| *facet == name);
    let named: Option<Vec<_>> = text.split(',').map(find).collect();
    named.ok_or_else(|| {
        Error::config(
            "facets= names one that there is not",
            format!("write facets=none, or some of {}", FACETS.join(",")),
        )
    })
}

fn count(text: &str) -> Result<usize, Error> {
    let count = text
        .parse()
        .ok()
        .filter(|count| (1..=10_000).contains(count));
    count.ok_or_else(|| {
        Error::config(
            "connections= is no number from 1 to 10000",
            "write connections=64",
        )
    })
}

fn bytes(text: &str) -> Result<u64, Error> {
    let bytes = size::parse(text)?.get();
    if (1..=1 << 30).contains(&bytes) {
        return Ok(bytes);
    }
    Err(Error::config(
        "max_value= is no size from 1 byte to 1 GiB",
        "write max_value=16MiB",
    ))
}

fn undecodable() -> Error {
    Error::config(
        "an option cannot be read as part of a URL",
        "write a percent sign as %25, and UTF-8",
    )
}
