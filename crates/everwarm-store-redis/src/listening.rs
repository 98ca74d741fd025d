//! Listening: one connection for messages, and the readings of all shards as a heartbeat.
//!
//! The readings are asked for on the connections that everything is asked on. So they tell, while there is no connection for messages,
//! that something was missed, and confirm what is known where nothing was.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::store::Failure;
use futures_util::StreamExt;
use futures_util::future::{Either, join, select};
use redis::RedisConnectionInfo;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::chance::{number, part_of};
use crate::deadline::Deadline;
use crate::error;
use crate::hearing::Hearing;
use crate::keys::{Shard, channel, space_in};
use crate::link::Link;
use crate::markers::{self, opening, shard_in};

/// How often the readings are asked for.
const EVERY: Duration = Duration::from_millis(500);
/// How long the server may take to answer on the connection for messages.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first wait before another connection is tried, of which a random part is waited; each failure doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Listens until it is aborted.
pub(crate) async fn listen(hearing: Arc<Hearing>, link: Arc<Link>) {
    let subscribed = Notify::new();
    let messages = receive(&hearing, &link, &subscribed);
    let readings = beat(&hearing, &link, &subscribed);
    join(messages, readings).await;
}

/// Asks for the readings of what is listened to, again and again, and at once where something was subscribed to.
async fn beat(hearing: &Hearing, link: &Link, subscribed: &Notify) {
    loop {
        let spaces = hearing.heard();
        let shards: Vec<Shard> = spaces
            .iter()
            .flat_map(|space| hearing.shards(space))
            .collect();
        if !shards.is_empty() {
            let database = link.config().database;
            let step = |shard: &Shard| markers::beat(shard, opening(shard, database, ""));
            let asked = hearing.now();
            let steps: Vec<_> = shards.iter().map(step).collect();
            let replies = link.ask(&steps).await.unwrap_or_default();
            for (shard, reply) in shards.iter().zip(replies) {
                // A server that does not answer confirms nothing.
                if let Ok(Some(mark)) = reply.and_then(|reply| shard_in(&reply, shard)) {
                    hearing.beat(&shard.space, mark, asked);
                }
            }
        }
        let _ = timeout(EVERY, subscribed.notified()).await;
    }
}

/// Takes in messages, from one connection after another.
async fn receive(hearing: &Hearing, link: &Link, subscribed: &Notify) {
    let mut wait = FIRST_WAIT;
    loop {
        if hearing.unheard(0).is_empty() {
            hearing.added.notified().await;
        }
        if let Ok(connection) = connect(link).await {
            wait = FIRST_WAIT;
            let (sink, stream) = connection.split();
            let database = link.config().database;
            take_in(hearing, (sink, stream), (database, subscribed)).await;
            hearing.hear(Event::Reconnected);
        }
        // Where the master is, or was, may be another server by now.
        if let Ok(topology) = link.topology() {
            topology.look_again();
        }
        sleep(part_of(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A connection for messages, to any of the masters: a cluster tells all of its servers.
async fn connect(link: &Link) -> Result<PubSub, Failure> {
    let topology = link.topology()?;
    let dial = topology.dial();
    let map = topology.map(&Deadline::after(dial.limit, 0)).await?;
    let at = number() as usize % map.nodes.len().max(1);
    let node = map.nodes.get(at).ok_or_else(error::closed)?;
    let mut info = RedisConnectionInfo::default()
        .set_protocol(redis::ProtocolVersion::RESP2)
        .set_skip_set_lib_name();
    if let Some(credentials) = &dial.handshake.credentials {
        if let Some(user) = &credentials.user {
            info = info.set_username(user);
        }
        info = info.set_password(&credentials.password);
    }
    let late = error::not_yet(&node.address.to_string(), dial.limit);
    let connected = async {
        let stream = dial.stream(&node.address).await?;
        let connection = PubSub::new(&info, stream).await;
        connection.map_err(|error| error::lost(&node.address, &error))
    };
    timeout(dial.limit, connected).await.unwrap_or(Err(late))
}

/// Takes in the messages of one connection, until it is lost or says nothing any more.
async fn take_in(
    hearing: &Hearing,
    (mut sink, mut stream): (PubSubSink, PubSubStream),
    (database, subscribed): (u32, &Notify),
) {
    let mut count = 0;
    loop {
        let new = hearing.unheard(count);
        if !new.is_empty() {
            let channels: Vec<String> = new.iter().map(|space| channel(database, space)).collect();
            match timeout(PATIENCE, sink.subscribe(&channels)).await {
                Ok(Ok(())) => {}
                _ => return,
            }
            if count == 0 {
                // What was sent before this connection listened is lost.
                hearing.hear(Event::Reconnected);
            }
            count += new.len();
            hearing.subscribed(count);
            subscribed.notify_one();
        }
        let lives = pin!(alive(sink.clone()));
        let heard = pin!(drained(hearing, &mut stream));
        let added = pin!(hearing.added.notified());
        // Where it is lost nothing is listened to any more.
        if let Either::Right(_) = select(added, select(lives, heard)).await {
            return;
        }
    }
}

/// Takes in messages until there are no more.
async fn drained(hearing: &Hearing, stream: &mut PubSubStream) {
    while let Some(message) = stream.next().await {
        if let Some(space) = space_in(message.get_channel_name()) {
            hearing.take_in(space, message.get_payload_bytes());
        }
    }
}

/// Asks the server now and then whether it is there; over when it is not.
async fn alive(mut sink: PubSubSink) {
    loop {
        sleep(EVERY).await;
        match timeout(PATIENCE, sink.ping::<redis::Value>()).await {
            Ok(Ok(_)) => {}
            _ => return,
        }
    }
}
