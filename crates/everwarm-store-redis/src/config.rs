//! What a Redis store is told: where, as whom, how safely, and how long it may take.

use std::fmt;
use std::time::Duration;

use everwarm_core::error::Error;

use crate::address::{Address, REDIS, SENTINEL};
use everwarm_network::options::{Files, span, yes_or_no};
pub use everwarm_network::tls::Tls;
use everwarm_network::url::{Parts, decoded, excerpt};

const OPTIONS: [&str; 10] = [
    "timeout",
    "connect_timeout",
    "db",
    "tls",
    "ca",
    "cert",
    "key",
    "hear",
    "sentinel_username",
    "sentinel_password",
];

const FORMS: &str = "write \"redis://host:6379/0\", \"rediss://host\", \"redis+unix:///path\", \
                     \"redis+sentinel://h1,h2/name\" or \"redis+cluster://h1,h2\"";

/// Where the entries are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On one server.
    Server(Address),
    /// On the master that these sentinels name.
    Sentinel {
        /// The sentinels.
        sentinels: Vec<Address>,
        /// What they call the master.
        name: String,
    },
    /// On the masters of a cluster, of which these servers know.
    Cluster(Vec<Address>),
}

/// In which way a process hears what others change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hear {
    /// By the messages that each change sends.
    #[default]
    Messages,
    /// By these, and by the server's own word on every key that anybody changes, or that it lets go of; on a cluster by that of each
    /// master.
    Tracking,
}

impl Hear {
    /// The name users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Tracking => "tracking",
        }
    }
}

/// As whom a store asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user of the server's access list; `None`: its default user.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Where a store is, as whom and how it asks, and how long it waits.
///
/// ```
/// use everwarm_store_redis::{Config, Place};
///
/// let config = Config::from_url("rediss://app:secret@cache.internal/2?timeout=100ms")?;
/// assert_eq!(config.database, 2);
/// assert!(config.tls.is_some());
/// assert!(!format!("{config:?}").contains("secret"));
/// let error = Config::from_url("redis://localhost?time_out=1s").unwrap_err();
/// assert!(error.hint().contains("timeout"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the entries are.
    pub place: Place,
    /// The number of the database: 0 by default.
    pub database: u32,
    /// As whom the servers are asked.
    pub credentials: Option<Credentials>,
    /// As whom the sentinels are asked.
    pub sentinel_credentials: Option<Credentials>,
    /// How connections are encrypted; `None`: not at all.
    pub tls: Option<Tls>,
    /// In which way others are heard: by messages.
    pub hear: Hear,
    /// How long an operation may take, beside 10 ms for each MiB: 50 ms by default.
    pub timeout: Duration,
    /// How long it may take to connect: 1 s by default.
    pub connect_timeout: Duration,
}

impl Config {
    /// Entries at this place, otherwise with the defaults.
    #[must_use]
    pub const fn new(place: Place) -> Self {
        Self {
            place,
            database: 0,
            credentials: None,
            sentinel_credentials: None,
            tls: None,
            hear: Hear::Messages,
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
        }
    }

    /// What a URL says.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No password is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let parts = Parts::of(url, "a Redis store", "write \"redis://host:6379/0\"")?;
        let mut config = match parts.scheme {
            "redis" => Self::server(&parts)?,
            "rediss" => Self {
                tls: Some(Tls::default()),
                ..Self::server(&parts)?
            },
            "redis+unix" => Self::unix(&parts)?,
            "redis+sentinel" => Self::sentinel(&parts)?,
            "redis+cluster" => Self::cluster(&parts)?,
            other => {
                return Err(Error::config(
                    format!("{:?} is no scheme of a Redis store", excerpt(other)),
                    FORMS,
                ));
            }
        };
        config.credentials = credentials(&parts)?;
        let mut query = Query::default();
        for (option, text) in parts.options()? {
            config.take(&mut query, &option, &text)?;
        }
        config.finished(query)
    }

    /// The scheme of the URL that says the same.
    pub(crate) const fn scheme(&self) -> &'static str {
        match (&self.place, &self.tls) {
            (Place::Server(Address::Unix(_)), _) => "redis+unix",
            (Place::Server(_), None) => "redis",
            (Place::Server(_), Some(_)) => "rediss",
            (Place::Sentinel { .. }, _) => "redis+sentinel",
            (Place::Cluster(_), _) => "redis+cluster",
        }
    }

    fn server(parts: &Parts<'_>) -> Result<Self, Error> {
        let address = Address::parse(parts.hosts, REDIS)?;
        let mut config = Self::new(Place::Server(address));
        config.database = database(parts.path)?;
        Ok(config)
    }

    fn unix(parts: &Parts<'_>) -> Result<Self, Error> {
        if !parts.hosts.is_empty() || parts.path.is_empty() {
            return Err(Error::config(
                "a socket is named by its path alone",
                "write three slashes: \"redis+unix:///run/redis.sock\"",
            ));
        }
        let path = format!("/{}", decoded(parts.path)?);
        Ok(Self::new(Place::Server(Address::Unix(path.into()))))
    }

    fn sentinel(parts: &Parts<'_>) -> Result<Self, Error> {
        let (name, path) = parts.path.split_once('/').unwrap_or((parts.path, ""));
        if name.is_empty() {
            return Err(Error::config(
                "the URL does not say what the sentinels call the master",
                "write it behind the hosts: \"redis+sentinel://h1,h2/mymaster/0\"",
            ));
        }
        let mut config = Self::new(Place::Sentinel {
            sentinels: Address::parse_all(parts.hosts, SENTINEL)?,
            name: decoded(name)?,
        });
        config.database = database(path)?;
        Ok(config)
    }

    fn cluster(parts: &Parts<'_>) -> Result<Self, Error> {
        if !parts.path.is_empty() {
            return Err(Error::config(
                "a cluster has no databases",
                "end the URL after the hosts: \"redis+cluster://h1,h2\"",
            ));
        }
        let seeds = Address::parse_all(parts.hosts, REDIS)?;
        Ok(Self::new(Place::Cluster(seeds)))
    }

    fn take(&mut self, query: &mut Query, option: &str, text: &str) -> Result<(), Error> {
        match option {
            "timeout" => self.timeout = span(text)?,
            "connect_timeout" => self.connect_timeout = span(text)?,
            "db" => self.database = database(text)?,
            "hear" => self.hear = way(text)?,
            "tls" => query.tls = Some(yes_or_no(option, text)?),
            "ca" => query.files.ca = Some(text.into()),
            "cert" => query.files.cert = Some(text.into()),
            "key" => query.files.key = Some(text.into()),
            "sentinel_username" => query.sentinel_user = Some(text.to_owned()),
            "sentinel_password" => query.sentinel_password = Some(text.to_owned()),
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }

    fn finished(mut self, query: Query) -> Result<Self, Error> {
        if let Some(tls) = query.tls {
            if matches!(self.place, Place::Server(_)) {
                return Err(Error::config(
                    "tls= is for Sentinel and Cluster",
                    "write rediss:// for one server with TLS, redis:// for one without",
                ));
            }
            self.tls = tls.then(Tls::default);
        }
        let hint = "write rediss://, or tls=true with Sentinel and Cluster";
        self.tls = query.files.of(self.tls, hint)?;
        if self.database != 0 && matches!(self.place, Place::Cluster(_)) {
            return Err(Error::config("a cluster has no databases", "leave db= out"));
        }
        let is_sentinel = matches!(self.place, Place::Sentinel { .. });
        self.sentinel_credentials = match (query.sentinel_user, query.sentinel_password) {
            (None, None) => None,
            (user, Some(password)) if is_sentinel => Some(Credentials { user, password }),
            _ => {
                return Err(Error::config(
                    "the sentinels' user and password are for redis+sentinel:// and come together",
                    "give sentinel_password= there, and sentinel_username= if it has a name",
                ));
            }
        };
        Ok(self)
    }
}

/// The place and the database, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |addresses: &[Address]| {
            let texts: Vec<String> = addresses.iter().map(Address::to_string).collect();
            texts.join(",")
        };
        match &self.place {
            Place::Server(address) => write!(formatter, "{address}/{}", self.database),
            Place::Sentinel { sentinels, name } => {
                write!(formatter, "{}/{name}/{}", listed(sentinels), self.database)
            }
            Place::Cluster(seeds) => formatter.write_str(&listed(seeds)),
        }
    }
}

/// The options of a query that mean something only together.
#[derive(Default)]
struct Query {
    tls: Option<bool>,
    files: Files,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
}

/// As whom the URL asks.
fn credentials(parts: &Parts<'_>) -> Result<Option<Credentials>, Error> {
    let Some(login) = parts.login()? else {
        return Ok(None);
    };
    let Some(password) = login.password else {
        return Err(Error::config(
            "the URL names a user without a password",
            "write \"redis://user:password@host\", \"redis://:password@host\", or \"redis://user:@host\" for a user who needs none",
        ));
    };
    Ok(Some(Credentials {
        user: (!login.user.is_empty()).then_some(login.user),
        password,
    }))
}

fn database(text: &str) -> Result<u32, Error> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        Error::config(
            format!("{:?} is no number of a database", excerpt(text)),
            "write a number such as 0",
        )
    })
}

fn way(text: &str) -> Result<Hear, Error> {
    let mut ways = [Hear::Messages, Hear::Tracking].into_iter();
    ways.find(|way| way.name() == text).ok_or_else(|| {
        Error::config(
            format!("hear={:?} is no way to hear of others", excerpt(text)),
            "write hear=messages or hear=tracking",
        )
    })
}
