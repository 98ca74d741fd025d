//! What a Memcached store is told: where, as whom, how safely, and how long it may take.

use std::fmt;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::size;

use everwarm_network::options::{Files, span};
pub use everwarm_network::tls::Tls;
use everwarm_network::url::{Parts, excerpt, host_and_port};

const OPTIONS: [&str; 7] = [
    "timeout",
    "connect_timeout",
    "weights",
    "item_size",
    "ca",
    "cert",
    "key",
];

const FORMS: &str =
    "write \"memcached://host:11211\", \"memcached://h1,h2\" or \"memcacheds://h1,h2\"";
const PORT: u16 = 11211;
/// The largest item of a server that was not told otherwise.
const ITEM_SIZE: u64 = 1 << 20;
const ITEM_SIZES: std::ops::RangeInclusive<u64> = 16 << 10..=1 << 30;
/// More servers have no part of the ring worth speaking of.
const MOST_SERVERS: usize = 1_000;

/// A server of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name or number.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Its part of the names, beside those of the others: 1 by default.
    pub weight: u32,
}

/// As whom a store asks: by the commands of text, which servers with `-Y` know.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
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
/// use everwarm_store_memcached::Config;
///
/// let config = Config::from_url("memcached://app:secret@cache1,cache2:11212?weights=2,1")?;
/// assert_eq!(config.servers[1].port, 11212);
/// assert_eq!(config.servers[0].weight, 2);
/// assert!(!format!("{config:?}").contains("secret"));
/// let error = Config::from_url("memcached://localhost?time_out=1s").unwrap_err();
/// assert!(error.hint().contains("timeout"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The servers. All who share them have to name the same ones in the same way.
    pub servers: Vec<Server>,
    /// As whom they are asked.
    pub credentials: Option<Credentials>,
    /// How connections are encrypted; `None`: not at all.
    pub tls: Option<Tls>,
    /// The largest item that the servers take, as their `-I` says: 1 MiB by default. A value may have two KiB less.
    pub item_size: u64,
    /// How long an operation may take, beside 10 ms for each MiB: 50 ms by default.
    pub timeout: Duration,
    /// How long it may take to connect: 1 s by default.
    pub connect_timeout: Duration,
}

impl Config {
    /// Entries on these servers, otherwise with the defaults.
    #[must_use]
    pub const fn new(servers: Vec<Server>) -> Self {
        Self {
            servers,
            credentials: None,
            tls: None,
            item_size: ITEM_SIZE,
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
        }
    }

    /// What a URL says.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No password is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let parts = Parts::of(url, "a Memcached store", "write \"memcached://host:11211\"")?;
        let tls = match parts.scheme {
            "memcached" => None,
            "memcacheds" => Some(Tls::default()),
            other => {
                let said = format!("{:?} is no scheme of a Memcached store", excerpt(other));
                return Err(Error::config(said, FORMS));
            }
        };
        if !parts.path.is_empty() {
            return Err(Error::config(
                "Memcached has no databases and no paths",
                "end the URL after the hosts: \"memcached://h1,h2\"; a namespace tells caches apart",
            ));
        }
        let mut config = Self {
            tls,
            credentials: credentials(&parts)?,
            ..Self::new(servers(parts.hosts)?)
        };
        let mut files = Files::default();
        for (option, text) in parts.options()? {
            match option.as_str() {
                "timeout" => config.timeout = span(&text)?,
                "connect_timeout" => config.connect_timeout = span(&text)?,
                "weights" => config.weigh(&text)?,
                "item_size" => config.item_size = item_size(&text)?,
                "ca" => files.ca = Some(text.into()),
                "cert" => files.cert = Some(text.into()),
                "key" => files.key = Some(text.into()),
                _ => return Err(Error::unknown_option(&option, &OPTIONS)),
            }
        }
        config.tls = files.of(config.tls, "write memcacheds://")?;
        Ok(config)
    }

    /// The scheme of the URL that says the same.
    pub(crate) const fn scheme(&self) -> &'static str {
        match self.tls {
            None => "memcached",
            Some(_) => "memcacheds",
        }
    }

    fn weigh(&mut self, text: &str) -> Result<(), Error> {
        let weights: Option<Vec<u32>> = text
            .split(',')
            .map(|weight| {
                weight
                    .parse()
                    .ok()
                    .filter(|weight| (1..=1_000).contains(weight))
            })
            .collect();
        match weights.filter(|weights| weights.len() == self.servers.len()) {
            Some(weights) => {
                for (server, weight) in self.servers.iter_mut().zip(weights) {
                    server.weight = weight;
                }
                Ok(())
            }
            None => Err(Error::config(
                format!("weights={:?} does not weigh each server", excerpt(text)),
                "write a number from 1 to 1000 for each host, in their order: \"weights=2,1\"",
            )),
        }
    }
}

/// The servers, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.servers.iter().map(Server::to_string).collect();
        formatter.write_str(&texts.join(","))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

/// As whom the URL asks.
fn credentials(parts: &Parts<'_>) -> Result<Option<Credentials>, Error> {
    let Some(login) = parts.login()? else {
        return Ok(None);
    };
    let user = login.user;
    let Some(password) = login.password.filter(|_| !user.is_empty()) else {
        return Err(Error::config(
            "the URL does not name a user and a password",
            "write \"memcached://user:password@host\", as the server's file of -Y has them",
        ));
    };
    let breaks = |text: &str| text.contains(|c: char| c.is_control());
    if breaks(&password) || breaks(&user) || user.contains(' ') {
        return Err(Error::config(
            "the user or the password has a control character, or the user a blank",
            "name a user of the server's file of -Y, which has none",
        ));
    }
    Ok(Some(Credentials { user, password }))
}

fn servers(text: &str) -> Result<Vec<Server>, Error> {
    let servers: Vec<Server> = text.split(',').map(server).collect::<Result<_, _>>()?;
    for (at, server) in servers.iter().enumerate() {
        if servers[..at].contains(server) {
            return Err(Error::config(
                format!("{server} is named twice"),
                "name each server once, and give it more names by weights=",
            ));
        }
    }
    if servers.len() > MOST_SERVERS {
        return Err(Error::config(
            format!("{} servers are too many", servers.len()),
            "name 1000 at most",
        ));
    }
    Ok(servers)
}

fn server(text: &str) -> Result<Server, Error> {
    let refused = |what: &str| {
        Error::config(
            format!("{:?} {what}", excerpt(text)),
            "write host:port, and numbers of IPv6 in brackets: \"[::1]:11211\"",
        )
    };
    let (host, port) = host_and_port(text, PORT)?;
    if host.is_empty() {
        return Err(refused("names no host"));
    }
    Ok(Server {
        host: host.to_owned(),
        port,
        weight: 1,
    })
}

fn item_size(text: &str) -> Result<u64, Error> {
    let bytes = size::parse(text)?.get();
    if ITEM_SIZES.contains(&bytes) {
        return Ok(bytes);
    }
    Err(Error::config(
        format!("item_size={:?} is no size of items", excerpt(text)),
        "write what the servers' -I says, from 16KiB to 1GiB",
    ))
}
