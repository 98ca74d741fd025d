//! Listening: one connection for messages, and the readings of all shards as a heartbeat.
//!
//! The readings are asked for on the connections that everything is asked on. So they tell, while there is no connection for messages,
//! that something was missed, and confirm what is known where nothing was.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::store::Failure;
use futures_util::future::{Either, join, select};
use redis::RedisConnectionInfo;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::config::Hear;
use crate::deadline::Deadline;
use crate::error;
use crate::hearing::Hearing;
use crate::keys::{Shard, space_in};
use crate::link::Link;
use crate::markers::{self, beat_in, opening};
use crate::mending::{is_damage, mend};
use crate::node::Node;
use crate::tidings::{self, Asks, Heard, Hears};
use everwarm_network::chance::{number, part_of};

/// How often the readings are asked for.
const EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether the server is back. No look knocks: the connection that tasks share does, for all.
const LOOKS: Duration = Duration::from_millis(100);
/// How long the server may take to answer on the connection for messages.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first wait before another connection is tried, of which a random part is waited; each failure doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

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
            let step =
                |shard: &Shard| markers::beat(shard, opening(shard, database, String::new()));
            let asked = hearing.now();
            let steps: Vec<_> = shards.iter().map(step).collect();
            let replies = link.ask(&steps).await.unwrap_or_default();
            for (shard, reply) in shards.iter().zip(replies) {
                match reply.and_then(|reply| beat_in(&reply, shard)) {
                    Ok(mark) => hearing.beat(&shard.space, mark, asked),
                    Err(failure) if is_damage(&failure) => {
                        mend(link, vec![(shard.slot, vec![shard.key.clone()])]).await;
                    }
                    // A server that does not answer confirms nothing.
                    _ => {}
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
        let Ok(node) = found(link).await else {
            look_again(link);
            sleep(LOOKS).await;
            continue;
        };
        if let Ok((asks, hears)) = connect(link, &node).await {
            hearing.hears(asks.tracks());
            let database = link.config().database;
            // Whoever takes connections and ends them at once, as a server that has too many does, is not to be asked at once again.
            if take_in(hearing, (asks, hears), (database, subscribed)).await {
                wait = FIRST_WAIT;
            }
            hearing.hear(Event::Reconnected);
        }
        look_again(link);
        sleep(part_of(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Where the master is, or was, may be another server by now.
fn look_again(link: &Link) {
    if let Ok(topology) = link.topology() {
        topology.look_again();
    }
}

/// Any of the masters, once it is there: a cluster tells all of its servers.
async fn found(link: &Link) -> Result<Arc<Node>, Failure> {
    let topology = link.topology()?;
    let deadline = Deadline::after(topology.dial().limit, 0);
    let map = topology.map(&deadline).await?;
    let at = number() as usize % map.nodes.len().max(1);
    let node = map.nodes.get(at).ok_or_else(error::closed)?;
    node.is_back(&deadline).await?;
    Ok(Arc::clone(node))
}

/// A connection for messages, in the newest version of the protocol that the server speaks. Where tracking is asked for and the server
/// refuses it, for messages alone.
async fn connect(link: &Link, node: &Node) -> Result<(Asks, Hears), Failure> {
    let topology = link.topology()?;
    let dial = topology.dial();
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(credentials) = &dial.handshake.credentials {
        if let Some(user) = &credentials.user {
            info = info.set_username(user);
        }
        info = info.set_password(&credentials.password);
    }
    let address = &node.address;
    let late = error::not_yet(&address.to_string(), dial.limit);
    let connected = async {
        let wants_changes = link.config().hear == Hear::Tracking;
        let (stream, _) = dial.stream(address).await?;
        let newer = (address, info.clone());
        if let Some(line) = tidings::pushing(stream, newer, wants_changes).await? {
            return Ok(line);
        }
        let (stream, _) = dial.stream(address).await?;
        tidings::older(stream, (address, info)).await
    };
    timeout(dial.limit, connected).await.unwrap_or(Err(late))
}

/// Takes in what comes on one connection, until it is lost or says nothing any more; whether it was listened to at all.
async fn take_in(
    hearing: &Hearing,
    (mut asks, mut hears): (Asks, Hears),
    (database, subscribed): (u32, &Notify),
) -> bool {
    let mut count = 0;
    loop {
        let new = hearing.unheard(count);
        if !new.is_empty() {
            let attended = asks.attend(&new, (database, hearing.layout));
            match timeout(PATIENCE, attended).await {
                Ok(Ok(())) => {}
                _ => return count > 0,
            }
            if count == 0 {
                // What was sent before this connection listened is lost.
                hearing.hear(Event::Reconnected);
            }
            if asks.tracks() {
                // No number tells of what was changed by others than us before.
                hearing.hear(Event::Overflow);
            }
            count += new.len();
            hearing.subscribed(count);
            subscribed.notify_one();
        }
        let lives = pin!(alive(asks.clone()));
        let heard = pin!(drained(hearing, &mut hears));
        let added = pin!(hearing.added.notified());
        // Where it is lost nothing is listened to any more.
        if let Either::Right(_) = select(added, select(lives, heard)).await {
            return true;
        }
    }
}

/// Takes in what comes until there is no more.
async fn drained(hearing: &Hearing, hears: &mut Hears) {
    while let Some(heard) = hears.next().await {
        match heard {
            Heard::Message { channel, payload } => {
                let channel = std::str::from_utf8(&channel).ok();
                if let Some(space) = channel.and_then(space_in) {
                    hearing.take_in(space, &payload);
                }
            }
            Heard::Changed(keys) => keys.iter().for_each(|key| hearing.changed(key)),
            Heard::Flushed => hearing.hear(Event::Overflow),
        }
    }
}

/// Asks the server now and then whether it is there; over when it is not.
async fn alive(mut asks: Asks) {
    loop {
        sleep(EVERY).await;
        match timeout(PATIENCE, asks.ping()).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}
