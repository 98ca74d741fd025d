//! The first words on a connection: the protocol, who asks, which database, and what server it is.

use everwarm_core::store::{Failure, FailureKind};
use redis::{Pipeline, ServerError, cmd};

use crate::config::Credentials;
use crate::error::{answered, unexpected};
use crate::value::Value;

/// The protocol that is spoken: the third where it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Resp3,
    Resp2,
}

/// What is said first on each connection.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    /// As whom the server is asked.
    pub(crate) credentials: Option<Credentials>,
    /// The database.
    pub(crate) database: u32,
    /// Whether only a master will do.
    pub(crate) wants_master: bool,
}

/// Which server a connection leads to; empty as far as it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its run, another one after each start.
    pub(crate) run: Box<str>,
    /// The history of its data, another one for each master that takes over.
    pub(crate) history: Box<str>,
}

impl Identity {
    /// Whether nothing tells this server from another one.
    pub(crate) const fn is_hidden(&self) -> bool {
        self.run.is_empty() && self.history.is_empty()
    }
}

/// What a server said to it.
pub(crate) enum Greeting {
    /// The connection may be used, and leads to this server.
    Ready(Identity),
    /// The server does not speak this protocol.
    Older,
}

impl Handshake {
    /// The words in this protocol.
    pub(crate) fn pipeline(&self, protocol: Protocol) -> Pipeline {
        let mut pipeline = redis::pipe();
        let user = |credentials: &Credentials| credentials.user.clone();
        match (protocol, &self.credentials) {
            (Protocol::Resp3, credentials) => {
                let mut hello = cmd("HELLO");
                hello.arg(3);
                if let Some(credentials) = credentials {
                    let user = user(credentials).unwrap_or_else(|| "default".to_owned());
                    hello.arg("AUTH").arg(user).arg(&credentials.password);
                }
                pipeline.add_command(hello);
            }
            (Protocol::Resp2, Some(credentials)) => {
                let mut auth = cmd("AUTH");
                auth.arg(user(credentials)).arg(&credentials.password);
                pipeline.add_command(auth);
            }
            (Protocol::Resp2, None) => {
                pipeline.cmd("PING");
            }
        }
        pipeline.cmd("SELECT").arg(self.database);
        pipeline.cmd("INFO").arg("server");
        pipeline.cmd("INFO").arg("replication");
        pipeline.cmd("ROLE");
        let name = ["SETINFO", "LIB-NAME", "everwarm"];
        pipeline.cmd("CLIENT").arg(&name);
        pipeline
    }

    /// What the server's answers mean.
    ///
    /// # Errors
    /// `Authentication` where it refuses who asks, and what else it refuses.
    pub(crate) fn greeted(
        &self,
        protocol: Protocol,
        replies: &[Value],
    ) -> Result<Greeting, Failure> {
        let [hello, select, info, replication, role, _] = replies else {
            return Err(unexpected("the first words of a connection"));
        };
        match hello {
            Value::ServerError(error) if protocol == Protocol::Resp3 && is_unknown(error) => {
                return Ok(Greeting::Older);
            }
            Value::ServerError(error) => return Err(answered(error)),
            _ => {}
        }
        // A cluster and a sentinel have no databases.
        if let (Value::ServerError(error), true) = (select, self.database != 0) {
            return Err(answered(error));
        }
        if let (Value::ServerError(error), Value::ServerError(_)) = (select, info)
            && error.code() == "NOAUTH"
        {
            return Err(answered(error));
        }
        if self.wants_master && !is_master(role) {
            return Err(Failure::new(
                FailureKind::Transient,
                "the server that the sentinels named is no master any more, or not yet",
                "it should pass with the failover",
            ));
        }
        Ok(Greeting::Ready(Identity {
            run: told_in(info, "run_id:").unwrap_or_default(),
            history: told_in(replication, "master_replid:").unwrap_or_default(),
        }))
    }
}

fn is_unknown(error: &ServerError) -> bool {
    let details = error.details().unwrap_or_default();
    error.code() == "NOPROTO" || details.starts_with("unknown command")
}

/// A server that does not say its role is taken for a master.
fn is_master(role: &Value) -> bool {
    match role {
        Value::Array(parts) => match parts.first() {
            Some(Value::BulkString(role)) => role[..] == *b"master",
            Some(Value::SimpleString(role)) => role == "master",
            _ => true,
        },
        _ => true,
    }
}

/// What `INFO` says behind this word.
fn told_in(info: &Value, word: &str) -> Option<Box<str>> {
    let told = info
        .text()?
        .lines()
        .find_map(|line| line.strip_prefix(word))?;
    Some(told.trim().into())
}
