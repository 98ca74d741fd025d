//! A connection on which a process hears of others: messages, and, where it was asked for, the server's word on every key.
//!
//! A server that tracks keys for a client (CLIENT TRACKING, since Redis 6) tells it of each change, whoever made it and whether or not
//! the server itself did. It tells nothing of invalidations, which change no key of an entry, and gives no numbers. So it comes on the
//! connection of the messages, beside them: what is lost with one is lost with both, and is a gap.
//!
//! The third version of the protocol is spoken where it is offered, as on all other connections: what is pushed has a form of its own
//! there, and cannot be taken for a reply. Servers that have only the second are heard by that, and track nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everwarm_core::store::Failure;
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub, PubSubSink, PubSubStream};
use redis::{
    AsyncConnectionConfig, PushInfo, PushKind, RedisConnectionInfo, RedisResult, Value, cmd,
};
use tokio::sync::mpsc::{Receiver, channel as queue};
use tokio::task::AbortHandle;

use crate::address::Address;
use crate::dial::Stream;
use crate::error;
use crate::keys::{Kind, Layout, braces, channel};

/// How many pushes wait to be taken in; who is behind by more has to take everything as changed.
const ROOM: usize = 4096;
/// A prefix that no key has: whether tracking may be switched on is seen by it.
const NO_KEY: &str = "ew{}";

/// What comes on a line.
pub(crate) enum Heard {
    /// A message.
    Message {
        /// On which channel.
        channel: Vec<u8>,
        /// What it says.
        payload: Vec<u8>,
    },
    /// Keys that were changed.
    Changed(Vec<Vec<u8>>),
    /// Any key may have been changed.
    Flushed,
}

/// A line's way out.
#[derive(Clone)]
pub(crate) enum Asks {
    /// In the third version of the protocol: for messages and, if the server tracks keys for it, changes.
    Pushing(MultiplexedConnection, bool),
    /// In the second: for messages alone.
    Older(PubSubSink),
}

/// A line's way in.
pub(crate) enum Hears {
    /// In the third version of the protocol.
    Pushed(Pushes),
    /// In the second.
    Older(PubSubStream),
}

/// What a server pushes.
pub(crate) struct Pushes {
    come: Receiver<PushInfo>,
    /// Whether some were lost for want of room.
    lost: Arc<AtomicBool>,
    _pump: Pump,
}

/// The task that reads and writes a connection; it ends with it.
struct Pump(AbortHandle);

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A line for messages in the second version of the protocol, over a stream.
///
/// # Errors
/// If the server does not let us in.
pub(crate) async fn older(
    stream: impl Stream + 'static,
    (address, info): (&Address, RedisConnectionInfo),
) -> Result<(Asks, Hears), Failure> {
    let info = info.set_protocol(redis::ProtocolVersion::RESP2);
    let connection = PubSub::new(&info, stream).await;
    let connection = connection.map_err(|error| error::lost(address, &error))?;
    let (sink, stream) = connection.split();
    Ok((Asks::Older(sink), Hears::Older(stream)))
}

/// A line for messages in the third version of the protocol, over a stream, and for changes if the server tracks keys for us where that
/// is wanted; `None` if it does not speak it.
///
/// # Errors
/// If the connection is lost.
pub(crate) async fn pushing(
    stream: impl Stream + 'static,
    (address, info): (&Address, RedisConnectionInfo),
    wants_changes: bool,
) -> Result<Option<(Asks, Hears)>, Failure> {
    let (pushes, come) = queue(ROOM);
    let lost = Arc::new(AtomicBool::new(false));
    let overflown = Arc::clone(&lost);
    let take = move |push| {
        let taken = pushes.try_send(push);
        if taken.is_err() {
            overflown.store(true, Ordering::Relaxed);
        }
        taken
    };
    let info = info.set_protocol(redis::ProtocolVersion::RESP3);
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_push_sender(take);
    let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
    let cut = |error: &redis::RedisError| error::lost(address, error);
    let (mut connection, pump) = match made {
        Ok(made) => made,
        Err(error) if is_refusal(&error) => return Ok(None),
        Err(error) => return Err(cut(&error)),
    };
    let pump = Pump(tokio::spawn(pump).abort_handle());
    let mut tracks = wants_changes;
    if wants_changes
        && let Err(error) = track(&mut connection, [NO_KEY.to_owned()].into_iter()).await
    {
        if !is_refusal(&error) {
            return Err(cut(&error));
        }
        tracks = false;
    }
    let pushes = Pushes {
        come,
        lost,
        _pump: pump,
    };
    Ok(Some((
        Asks::Pushing(connection, tracks),
        Hears::Pushed(pushes),
    )))
}

/// Whether a server answered that it will not.
fn is_refusal(error: &redis::RedisError) -> bool {
    !error.is_io_error() && !error.is_connection_dropped() && !error.is_timeout()
}

async fn track(
    connection: &mut MultiplexedConnection,
    prefixes: impl Iterator<Item = String>,
) -> RedisResult<()> {
    let mut command = cmd("CLIENT");
    command.arg("TRACKING").arg("ON").arg("BCAST");
    for prefix in prefixes {
        command.arg("PREFIX").arg(prefix);
    }
    command.exec_async(connection).await
}

impl Asks {
    /// Whether the server tells of changes of keys, too.
    pub(crate) const fn tracks(&self) -> bool {
        matches!(self, Self::Pushing(_, true))
    }

    /// Has the server tell of messages alone: of changes of keys nothing was asked for as yet.
    pub(crate) const fn track_nothing(&mut self) {
        if let Self::Pushing(_, tracks) = self {
            *tracks = false;
        }
    }

    /// Hears of changes of the entries of these namespaces from here on, if the server tells of any.
    ///
    /// # Errors
    /// If the server refuses, or is not there any more.
    pub(crate) async fn track(&mut self, spaces: &[Box<str>], layout: Layout) -> RedisResult<()> {
        let Self::Pushing(connection, true) = self else {
            return Ok(());
        };
        let entries = spaces.iter().flat_map(|space| {
            let shards = 0..layout.shards;
            shards.map(|shard| Kind::Entry.of(&braces(space, shard)))
        });
        track(connection, entries).await
    }

    /// Hears of the messages of these namespaces from here on.
    ///
    /// # Errors
    /// If the server refuses, or is not there any more.
    pub(crate) async fn subscribe(
        &mut self,
        spaces: &[Box<str>],
        database: u32,
    ) -> RedisResult<()> {
        let channels = spaces.iter().map(|space| channel(database, space));
        let channels: Vec<String> = channels.collect();
        match self {
            Self::Older(sink) => sink.subscribe(&channels).await,
            Self::Pushing(connection, _) => connection.subscribe(&channels).await,
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn ping(&mut self) -> RedisResult<()> {
        match self {
            Self::Older(sink) => sink.ping::<Value>().await.map(drop),
            Self::Pushing(connection, _) => cmd("PING").exec_async(connection).await,
        }
    }
}

impl Hears {
    /// What comes next; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        match self {
            Self::Older(stream) => stream.next().await.map(|message| Heard::Message {
                channel: message.get_channel_name().as_bytes().to_vec(),
                payload: message.get_payload_bytes().to_vec(),
            }),
            Self::Pushed(pushes) => loop {
                if pushes.lost.swap(false, Ordering::Relaxed) {
                    return Some(Heard::Flushed);
                }
                let push = pushes.come.recv().await?;
                match push.kind {
                    PushKind::Disconnection => return None,
                    PushKind::Message => {
                        if let Some(heard) = message_in(push.data) {
                            return Some(heard);
                        }
                    }
                    PushKind::Invalidate => return Some(changed_in(push.data)),
                    _ => {}
                }
            },
        }
    }
}

fn message_in(data: Vec<Value>) -> Option<Heard> {
    match <[Value; 2]>::try_from(data).ok()? {
        [Value::BulkString(channel), Value::BulkString(payload)] => {
            Some(Heard::Message { channel, payload })
        }
        _ => None,
    }
}

/// Which keys were changed; where none is named, all.
fn changed_in(data: Vec<Value>) -> Heard {
    let Some(Value::Array(keys)) = data.into_iter().next() else {
        return Heard::Flushed;
    };
    let keys = keys.into_iter().filter_map(|key| match key {
        Value::BulkString(key) => Some(key),
        _ => None,
    });
    Heard::Changed(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn what_a_server_pushes_is_understood() {
        let Heard::Changed(keys) = changed_in(vec![Value::Array(vec![bulk("a"), bulk("b")])])
        else {
            panic!("keys were named");
        };
        assert_eq!(keys, [b"a", b"b"]);
        assert!(matches!(changed_in(vec![Value::Nil]), Heard::Flushed));
        let message = message_in(vec![bulk("channel"), bulk("payload")]);
        assert!(matches!(message, Some(Heard::Message { payload, .. }) if payload == b"payload"));
        assert!(message_in(vec![bulk("channel")]).is_none());
    }
}
