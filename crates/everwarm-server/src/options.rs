//! What a server is told: where it listens, who may ask, how safely, and how much at most.

use std::path::PathBuf;
use std::time::Duration;

use everwarm_store_http::Token;
use everwarm_store_http::contract::LARGEST_BODY;

/// The files that show who a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate, and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// Where a server listens, who may ask, and how much at most.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address and the port; port 0 is a free one.
    pub listen: String,
    /// The tokens, of which a request has to have one; with several, they can be changed one client after the other.
    pub tokens: Vec<Token>,
    /// Whether everybody may ask who can connect, where there is no token; else such a server listens to its own host alone.
    pub is_open: bool,
    /// Who it is, to encrypt connections.
    pub identity: Option<Identity>,
    /// Bytes of a body, at most: 64 MiB by default.
    pub max_body: u64,
    /// How many connections there are at most: 1024 by default. Others wait.
    pub connections: usize,
    /// How long the body of a request may take to come: 30 s by default.
    pub patience: Duration,
}

impl Options {
    /// A server that listens there, otherwise with the defaults.
    pub fn new(listen: impl Into<String>) -> Self {
        Self {
            listen: listen.into(),
            tokens: Vec::new(),
            is_open: false,
            identity: None,
            max_body: LARGEST_BODY,
            connections: 1024,
            patience: Duration::from_secs(30),
        }
    }
}
