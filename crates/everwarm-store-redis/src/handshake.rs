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

/// Before what `INFO` says of a server's run, and of the history of its data.
const RUN: &str = "run_id:";
const HISTORY: &str = "master_replid:";

/// What a server said to it.
pub(crate) enum Greeting {
    /// The connection may be used, and leads to this server.
    Ready(Identity),
    /// The server does not speak this protocol.
    Older,
    /// Some of it is the answer to something else: the connection is of no use.
    Astray,
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
        if are_astray(protocol, replies) {
            return Ok(Greeting::Astray);
        }
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
            run: told_in(info, RUN).unwrap_or_default(),
            history: told_in(replication, HISTORY).unwrap_or_default(),
        }))
    }
}

/// Whether one of the replies is of a kind that is another word's: taken as they are, they might name a server that is not there.
fn are_astray(protocol: Protocol, replies: &[Value]) -> bool {
    let is_done = |reply: &Value| matches!(reply, Value::Okay);
    let is_text = |reply: &Value| matches!(reply, Value::BulkString(_));
    let is_list = |reply: &Value| matches!(reply, Value::Array(_) | Value::Map(_));
    let tells_only = |reply: &Value, of: &str, other: &str| {
        told_in(reply, of).is_some() && told_in(reply, other).is_none()
    };
    let astray = |(at, reply): (usize, &Value)| match at {
        0 if protocol == Protocol::Resp3 => is_text(reply) || is_done(reply),
        2 => is_done(reply) || is_list(reply) || tells_only(reply, HISTORY, RUN),
        3 => is_done(reply) || is_list(reply) || tells_only(reply, RUN, HISTORY),
        4 => is_text(reply) || is_done(reply) || matches!(reply, Value::Map(_)),
        _ => is_text(reply) || is_list(reply),
    };
    replies.iter().enumerate().any(astray)
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

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: Handshake = Handshake {
        credentials: None,
        database: 0,
        wants_master: true,
    };

    /// What a master says.
    fn told(protocol: Protocol) -> [Value; 6] {
        let hello = match protocol {
            Protocol::Resp3 => Value::Map(vec![(Value::bulk("server"), Value::bulk("redis"))]),
            Protocol::Resp2 => Value::SimpleString("PONG".to_owned()),
        };
        [
            hello,
            Value::Okay,
            Value::bulk("# Server\r\nrun_id:a\r\n"),
            Value::bulk("# Replication\r\nrole:master\r\nmaster_replid:b\r\n"),
            Value::Array(vec![
                Value::bulk("master"),
                Value::Int(0),
                Value::Array(vec![]),
            ]),
            Value::Okay,
        ]
    }

    fn named(run: &str, history: &str) -> Option<Identity> {
        Some(Identity {
            run: run.into(),
            history: history.into(),
        })
    }

    /// Whom the replies name; None if they are astray.
    fn greeted(protocol: Protocol, replies: &[Value]) -> Option<Identity> {
        match HANDSHAKE.greeted(protocol, replies).unwrap() {
            Greeting::Ready(server) => Some(server),
            Greeting::Astray => None,
            Greeting::Older => panic!("it is not older"),
        }
    }

    #[test]
    fn replies_that_change_places_name_no_other_server() {
        for protocol in [Protocol::Resp3, Protocol::Resp2] {
            assert_eq!(greeted(protocol, &told(protocol)), named("a", "b"));
            for (one, other) in (0..6).flat_map(|one| (0..one).map(move |other| (one, other))) {
                let mut replies = told(protocol);
                replies.swap(one, other);
                let is_alike = |reply| matches!(reply, Value::Okay | Value::SimpleString(_));
                let alike = [one, other].map(|at| is_alike(replies[at].clone())) == [true, true];
                let expected = if alike { named("a", "b") } else { None };
                assert_eq!(greeted(protocol, &replies), expected, "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_server_that_refuses_words_is_greeted_without_them() {
        for at in 1..6 {
            let mut replies = told(Protocol::Resp3);
            replies[at] = Value::error("ERR unknown command");
            let (run, history) = (
                if at == 2 { "" } else { "a" },
                if at == 3 { "" } else { "b" },
            );
            assert_eq!(greeted(Protocol::Resp3, &replies), named(run, history));
        }
        let mut replies = told(Protocol::Resp2);
        replies[2] = Value::bulk("run_id:a\r\nmaster_replid:b\r\n");
        replies[3] = replies[2].clone();
        assert_eq!(greeted(Protocol::Resp2, &replies), named("a", "b"));
    }
}
