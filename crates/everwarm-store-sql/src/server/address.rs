//! Where servers listen.

use std::fmt;
use std::path::PathBuf;

use everwarm_core::error::Error;

use crate::server::config::Kind;
use everwarm_network::url::host_and_port;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// At a port of a host.
    Tcp {
        /// Its name or number.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a socket of this machine.
    Unix {
        /// The directory in which it lies, or for one of MySQL's the file that it is.
        path: PathBuf,
        /// The port, by which PostgreSQL names sockets.
        port: u16,
    },
}

impl Address {
    /// Whether it is of this machine.
    pub(crate) fn is_near(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => {
                host == "localhost" || host == "::1" || host.starts_with("127.")
            }
            Self::Unix { .. } => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix { path, port } => write!(formatter, "{}:{port}", path.display()),
        }
    }
}

/// The servers whose hosts and ports a URL names.
///
/// # Errors
/// `Config` for what is none.
pub(crate) fn at_ports(hosts: &str, default: u16) -> Result<Vec<Address>, Error> {
    let each = |text: &str| {
        let (host, port) = host_and_port(text, default)?;
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(Address::Tcp {
            host: host.to_owned(),
            port,
        })
    };
    hosts.split(',').map(each).collect()
}

/// The server at the socket that an option names: its directory, or for one of MySQL's the file.
///
/// # Errors
/// `Config` for what is none.
pub(crate) fn at_socket(kind: Kind, path: &str, hosts: &str) -> Result<Address, Error> {
    let (host, port) = host_and_port(hosts, kind.port())?;
    if !host.is_empty() || !path.starts_with('/') {
        let (what, hint) = match kind {
            Kind::Postgres => (
                "host= is the directory of a socket, and then no host stands in the URL",
                "write \"postgresql:///database?host=/run/postgresql\"",
            ),
            Kind::Mysql => (
                "socket= is the file of a socket, and then no host stands in the URL",
                "write \"mysql:///database?socket=/run/mysqld/mysqld.sock\"",
            ),
        };
        return Err(Error::config(what, hint));
    }
    Ok(Address::Unix {
        path: path.into(),
        port,
    })
}
