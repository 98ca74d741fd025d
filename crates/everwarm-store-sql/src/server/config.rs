//! What a store in a database is told: where, as whom, in which tables, and how safely.

use std::fmt;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_network::options::{Files, connections, span, yes_or_no};
pub use everwarm_network::tls::Tls;
use everwarm_network::url::{Parts, decoded, excerpt};

pub use crate::server::address::Address;
use crate::server::address::{at_ports, at_socket};
use crate::server::options::{identifier, mode, often};

const FORM: &str = "write \"postgresql://user:password@host/database\", or \"mysql://user:password@host/database\"";

/// The options of every kind; the rest are those of one.
const OPTIONS: [&str; 10] = [
    "sweep_every",
    "timeout",
    "table",
    "make_tables",
    "connections",
    "connect_timeout",
    "tls",
    "ca",
    "cert",
    "key",
];

/// The databases, by how they are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Kind {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "postgresql" | "postgres" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::Mysql),
            _ => None,
        }
    }

    /// What users call it, and the crate's feature.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// The port at which servers listen that were not told otherwise.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql => 3306,
        }
    }

    /// The options that only this kind has.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["schema", "unlogged", "sslmode", "sslrootcert", "host"],
            Self::Mysql => &["ssl-mode", "ssl-ca", "socket"],
        }
    }

    /// Several questions are under way on a connection of PostgreSQL, and one on that of others.
    const fn connections(self) -> usize {
        match self {
            Self::Postgres => 4,
            Self::Mysql => 8,
        }
    }
}

/// As whom a store asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user of the database.
    pub user: String,
    /// The password; `None` where the server asks for none.
    pub password: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Where a store is, as whom it asks, and which tables it has.
///
/// ```
/// use everwarm_store_sql::Config;
///
/// let config = Config::from_url("postgresql://app:secret@db.internal/shop?table=cache&schema=app")?;
/// assert_eq!((config.table.as_str(), config.schema.as_deref()), ("cache", Some("app")));
/// // Beyond this machine connections are encrypted, unless `tls=false` says otherwise.
/// assert!(config.tls.is_some());
/// assert!(!format!("{config:?}").contains("secret"));
/// let error = Config::from_url("postgresql://localhost/shop?tabel=cache").unwrap_err();
/// assert!(error.hint().contains("table"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What the servers speak.
    pub kind: Kind,
    /// The servers; where there are several, the one that takes writes is asked.
    pub servers: Vec<Address>,
    /// The database.
    pub database: String,
    /// As whom the server is asked.
    pub credentials: Option<Credentials>,
    /// The table of the entries; the names of the others begin with it. `everwarm` by default.
    pub table: String,
    /// The schema of the tables, in PostgreSQL; `None`: the first of the user's search path.
    pub schema: Option<String>,
    /// Whether missing tables are made: they are by default.
    pub make_tables: bool,
    /// Whether tables are made that a crash of the server empties, and that cost it less; in PostgreSQL.
    pub unlogged: bool,
    /// Connections at most, besides the one on which PostgreSQL tells of others: 4 by default, or 8 where each has one question under way.
    pub connections: usize,
    /// How often a process deletes what has expired; `None`: it is left to somebody else. Every 5 minutes by default.
    pub sweep_every: Option<Duration>,
    /// How connections are encrypted; `None`: not at all.
    pub tls: Option<Tls>,
    /// How long it may take to connect: 2 s by default.
    pub connect_timeout: Duration,
    /// How long an operation may take, where its user has said so. Who waits for one ends it: it is for the judgement of health.
    pub timeout: Option<Duration>,
}

impl Config {
    /// The default tables in a database of these servers.
    #[must_use]
    pub fn new(kind: Kind, servers: Vec<Address>, database: impl Into<String>) -> Self {
        Self {
            kind,
            servers,
            database: database.into(),
            credentials: None,
            table: "everwarm".to_owned(),
            schema: None,
            make_tables: true,
            unlogged: false,
            connections: kind.connections(),
            sweep_every: Some(Duration::from_secs(300)),
            tls: None,
            connect_timeout: Duration::from_secs(2),
            timeout: None,
        }
    }

    /// What a URL says.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No password is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let parts = Parts::of(url, "a database", FORM)?;
        let kind = Kind::of(parts.scheme).ok_or_else(|| {
            Error::config(
                format!("{:?} is no scheme of a database", excerpt(parts.scheme)),
                FORM,
            )
        })?;
        let options = parts.options()?;
        let known = [&OPTIONS, kind.options()].concat();
        if let Some((option, _)) = options
            .iter()
            .find(|(option, _)| !known.contains(&option.as_str()))
        {
            return Err(Error::unknown_option(option, &known));
        }
        let socket = options
            .iter()
            .find(|(option, _)| matches!(option.as_str(), "host" | "socket"));
        let servers = match socket {
            Some((_, path)) => vec![at_socket(kind, path, parts.hosts)?],
            None => at_ports(parts.hosts, kind.port())?,
        };
        let database = decoded(parts.path)?;
        if database.is_empty() {
            return Err(Error::config(
                "the URL does not say which database",
                "write it behind the host: \"postgresql://host/database\"",
            ));
        }
        let mut config = Self::new(kind, servers, database);
        config.credentials = credentials(&parts)?;
        let mut query = Query::default();
        for (option, text) in options {
            config.take(&mut query, &option, &text)?;
        }
        config.finished(query)
    }

    fn take(&mut self, query: &mut Query, option: &str, text: &str) -> Result<(), Error> {
        match option {
            "host" | "socket" => {}
            "table" => self.table = identifier(option, text)?,
            "schema" => self.schema = Some(identifier(option, text)?),
            "make_tables" => self.make_tables = yes_or_no(option, text)?,
            "unlogged" => self.unlogged = yes_or_no(option, text)?,
            "connections" => self.connections = connections(text)?,
            "sweep_every" if text == "never" => self.sweep_every = None,
            "sweep_every" => self.sweep_every = Some(often(text)?),
            "timeout" => self.timeout = Some(span(text)?),
            "connect_timeout" => self.connect_timeout = span(text)?,
            "tls" => query.tls = Some(yes_or_no(option, text)?),
            "sslmode" | "ssl-mode" => query.tls = Some(mode(option, text)?),
            "ca" | "sslrootcert" | "ssl-ca" => query.files.ca = Some(text.into()),
            "cert" => query.files.cert = Some(text.into()),
            "key" => query.files.key = Some(text.into()),
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }

    fn finished(mut self, query: Query) -> Result<Self, Error> {
        let is_near = self.servers.iter().all(Address::is_near);
        let is_socket = |server: &Address| matches!(server, Address::Unix { .. });
        let has_files = query.files.are_named();
        let tls = query.files.together()?;
        let is_encrypted = query.tls.unwrap_or(!is_near || has_files);
        if is_encrypted && self.servers.iter().any(is_socket) {
            return Err(Error::config(
                "a socket of this machine is not encrypted",
                "leave tls=, ca=, cert= and key= out",
            ));
        }
        if has_files && !is_encrypted {
            return Err(Error::config(
                "ca=, cert= and key= do nothing without TLS",
                "leave tls=false out, or the files",
            ));
        }
        self.tls = is_encrypted.then_some(tls);
        Ok(self)
    }
}

/// The place, without secrets: server, database, schema and table.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, server) in self.servers.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(formatter, "{comma}{server}")?;
        }
        write!(formatter, "/{}/", self.database)?;
        if let Some(schema) = &self.schema {
            write!(formatter, "{schema}.")?;
        }
        formatter.write_str(&self.table)
    }
}

/// The options of a query that mean something only together.
#[derive(Default)]
struct Query {
    tls: Option<bool>,
    files: Files,
}

/// As whom the URL asks. A user needs no password where the server trusts, or asks for a certificate.
fn credentials(parts: &Parts<'_>) -> Result<Option<Credentials>, Error> {
    let Some(login) = parts.login()? else {
        return Ok(None);
    };
    if login.user.is_empty() {
        return Err(Error::config(
            "the URL has a password, and does not say whose it is",
            FORM,
        ));
    }
    Ok(Some(Credentials {
        user: login.user,
        password: login.password,
    }))
}
