//! Where a server listens.

use std::fmt;
use std::path::PathBuf;

use everwarm_core::error::Error;

use everwarm_network::url::host_and_port;

/// The port of servers.
pub(crate) const REDIS: u16 = 6379;
/// The port of sentinels.
pub(crate) const SENTINEL: u16 = 26379;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// At a port of a host.
    Tcp {
        /// Its name or number.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a socket of this machine.
    Unix(PathBuf),
}

impl Address {
    /// The address of `host:port`; without a host this machine, without a port `port`.
    ///
    /// # Errors
    /// `Config` for what is none.
    pub(crate) fn parse(text: &str, port: u16) -> Result<Self, Error> {
        let (host, port) = host_and_port(text, port)?;
        let host = if host.is_empty() { "localhost" } else { host };
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    /// The addresses of a list with commas.
    ///
    /// # Errors
    /// `Config` if there is none, or one is none.
    pub(crate) fn parse_all(text: &str, port: u16) -> Result<Vec<Self>, Error> {
        let is_list = text.contains(',');
        let parsed = text.split(',').map(|one| match one {
            "" if is_list => Err(Error::config(
                "there is nothing between two commas of the URL's hosts",
                "write the hosts with one comma between them: \"h1,h2\"",
            )),
            one => Self::parse(one, port),
        });
        parsed.collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => {
                write!(formatter, "[{host}]:{port}")
            }
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}
