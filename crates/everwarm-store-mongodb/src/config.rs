//! What a store is told: where, as whom, in which collection, and how safely.

use std::fmt;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_network::options::{span, yes_or_no};
use everwarm_network::url::{Parts, decoded, excerpt};
use mongodb::options::ConnectionString;

const FORM: &str = "write \"mongodb://user:password@host/database\"";

/// Ours come first; the others are the driver's, by the names that every client of MongoDB has for them.
const OPTIONS: [&str; 25] = [
    "collection",
    "make_index",
    "timeout",
    "connect_timeout",
    "replicaSet",
    "directConnection",
    "loadBalanced",
    "authSource",
    "authMechanism",
    "authMechanismProperties",
    "tls",
    "ssl",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "w",
    "journal",
    "maxPoolSize",
    "minPoolSize",
    "maxIdleTimeMS",
    "heartbeatFrequencyMS",
    "appName",
    "srvMaxHosts",
    "srvServiceName",
    "retryWrites",
    "retryReads",
];

/// Bytes of a collection's name, with its database's in front of it: what every version takes.
const LONGEST: usize = 120;

/// How many servers have to have a write before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Most of those that vote, or the only one: no election takes it back.
    Majority,
    /// So many, the primary among them. What only some have may be taken back when another one becomes primary.
    By(i32),
    /// Those that a rule of the replica set names.
    Rule(String),
}

/// Where a store is, as whom it asks, and which collection it has.
///
/// ```
/// use everwarm_store_mongodb::Config;
///
/// let config = Config::from_url("mongodb://app:secret@db.internal/shop?collection=cache&replicaSet=rs0")?;
/// assert_eq!((config.database.as_str(), config.collection.as_str()), ("shop", "cache"));
/// assert!(!format!("{config:?} {config}").contains("secret"));
/// let error = Config::from_url("mongodb://localhost/shop?colection=cache").unwrap_err();
/// assert!(error.hint().contains("collection"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// What the driver is given: where, as whom, and how connections are encrypted. It may hold a password.
    driver: String,
    hosts: String,
    /// The database.
    pub database: String,
    /// The collection: `everwarm` by default.
    pub collection: String,
    /// Whether the index by which the server deletes what has expired is made where it is missing: it is by default.
    pub make_index: bool,
    /// How many servers have to have an entry: most of them by default.
    pub written: Written,
    /// Whether they have to have it in their journals: they do by default.
    pub journal: bool,
    /// How long it may take to connect, or until there is a server that takes writes: 2 s by default.
    pub connect_timeout: Duration,
    /// How long an operation may take, where its user has said so. Who waits for one ends it: it is for the judgement of health.
    pub timeout: Option<Duration>,
}

impl Config {
    /// What a URL says.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No password is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let parts = Parts::of(url, "a server", FORM)?;
        if !matches!(parts.scheme, "mongodb" | "mongodb+srv") {
            return Err(Error::config(
                format!("{:?} is no scheme of MongoDB", excerpt(parts.scheme)),
                FORM,
            ));
        }
        if parts.scheme == "mongodb+srv" && !cfg!(feature = "srv") {
            return Err(Error::config(
                "this build does not look servers up by mongodb+srv://",
                "name them: \"mongodb://host1,host2/database?replicaSet=…&tls=true\", or build with the feature mongodb-srv",
            ));
        }
        let mut config = Self::of(&parts)?;
        let (mut kept, mut is_said) = (Vec::new(), false);
        for (option, text) in parts.options()? {
            let known = OPTIONS
                .iter()
                .find(|known| known.eq_ignore_ascii_case(&option));
            let known = known.ok_or_else(|| Error::unknown_option(&option, &OPTIONS))?;
            is_said |= matches!(*known, "tls" | "ssl");
            if config.take(known, &text)? {
                kept.push(format!("{known}={}", encoded(&text)));
            }
        }
        let is_far = parts.scheme == "mongodb" && !parts.hosts.split(',').all(is_near);
        if is_far && !is_said {
            kept.push("tls=true".to_owned());
        }
        let place = url.split('?').next().unwrap_or(url);
        config.driver = format!("{place}?{}", kept.join("&"));
        config.parsed().map(|_| config)
    }

    fn of(parts: &Parts<'_>) -> Result<Self, Error> {
        let database = decoded(parts.path)?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= 63
                && !name.contains(['/', '\\', '.', ' ', '"', '$', '\0'])
        };
        if !is_name(&database) {
            return Err(Error::config(
                "the URL does not say which database, or names one that cannot be",
                "write it behind the host: \"mongodb://host/database\"",
            ));
        }
        Ok(Self {
            driver: String::new(),
            hosts: parts.hosts.to_owned(),
            database,
            collection: "everwarm".to_owned(),
            make_index: true,
            written: Written::Majority,
            journal: true,
            connect_timeout: Duration::from_secs(2),
            timeout: None,
        })
    }

    /// Takes what is ours; whether the driver is to be given it, too.
    fn take(&mut self, option: &str, text: &str) -> Result<bool, Error> {
        match option {
            "collection" => self.collection = named(&self.database, text)?,
            "make_index" => self.make_index = yes_or_no(option, text)?,
            "timeout" => self.timeout = Some(span(text)?),
            "connect_timeout" => self.connect_timeout = span(text)?,
            "w" => self.written = written(text)?,
            "journal" => self.journal = yes_or_no(option, text)?,
            // What is tried again is the affair of the layers; hosted servers write these into the URLs that they give out.
            "retryWrites" | "retryReads" => drop(yes_or_no(option, text)?),
            _ => return Ok(true),
        }
        Ok(false)
    }

    /// What the driver reads in its part.
    ///
    /// # Errors
    /// `Config` for what it refuses.
    pub(crate) fn parsed(&self) -> Result<ConnectionString, Error> {
        let refused = || {
            Error::config(
                "the driver of MongoDB cannot read this URL",
                "write \"mongodb://user:password@host:27017/database\", with %40 for @ and %3A for : in user and password",
            )
        };
        // The driver panics where a letter of several bytes follows.
        let is_encoded = |part: &str| {
            let digits = part.as_bytes().get(..2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        if !self.driver.split('%').skip(1).all(is_encoded) {
            return Err(refused());
        }
        // What it says may repeat a password.
        ConnectionString::parse(&self.driver).map_err(|_| refused())
    }

    /// Whether what is acknowledged survives the loss of power.
    pub(crate) fn is_lasting(&self) -> bool {
        self.journal && self.written != Written::By(1)
    }
}

/// The place, without secrets: servers, database and collection.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{}/{}",
            self.hosts, self.database, self.collection
        )
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("place", &self.to_string())
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// A text as a URL has it.
fn encoded(text: &str) -> String {
    let sign = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(sign).collect()
}

/// Whether a server is of this machine.
fn is_near(host: &str) -> bool {
    let is_socket = host.to_ascii_lowercase().ends_with(".sock");
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    is_socket || name == "localhost" || name == "::1" || name.starts_with("127.")
}

fn named(database: &str, text: &str) -> Result<String, Error> {
    let is_name = !text.is_empty()
        && database.len() + 1 + text.len() <= LONGEST
        && !text.contains(['$', '\0'])
        && !text.starts_with("system.");
    if !is_name {
        return Err(Error::config(
            "collection= is no name that MongoDB takes",
            "write letters, digits, points and underscores",
        ));
    }
    Ok(text.to_owned())
}

fn written(text: &str) -> Result<Written, Error> {
    match (text, text.parse::<i32>()) {
        ("majority", _) => Ok(Written::Majority),
        (_, Ok(count)) if (1..=50).contains(&count) => Ok(Written::By(count)),
        (_, Ok(_)) | ("", _) => Err(Error::config(
            format!(
                "w={:?} leaves it open whether anything is written",
                excerpt(text)
            ),
            "write w=majority, or the number of servers from 1 on",
        )),
        (rule, Err(_)) => Ok(Written::Rule(rule.to_owned())),
    }
}
