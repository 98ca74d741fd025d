//! Listening: the connections on which others are heard, and the readings of all shards as a heartbeat.
//!
//! The readings are asked for on the connections that everything is asked on. So they tell, while there is no connection for messages,
//! that something was missed, and confirm what is known where nothing was. On a cluster they also find out that a shard lies with
//! another master by now.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use futures_util::future::{Either, join, select};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::ears::{self, Ears};
use crate::hearing::Hearing;
use crate::keys::Shard;
use crate::link::Link;
use crate::markers::{self, beat_in, opening};
use crate::mending::{is_damage, mend};
use everwarm_network::chance::part_of;

/// How often the readings are asked for.
const EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether the server is back. No look knocks: the connection that tasks share does, for all.
const LOOKS: Duration = Duration::from_millis(100);
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

/// Takes in what is told, on some connections after others.
async fn receive(hearing: &Hearing, link: &Link, subscribed: &Notify) {
    let mut wait = FIRST_WAIT;
    loop {
        if hearing.unheard(0).is_empty() {
            hearing.added.notified().await;
        }
        let Ok(nodes) = ears::found(link).await else {
            look_again(link);
            sleep(LOOKS).await;
            continue;
        };
        if let Ok(ears) = Ears::to(nodes, link).await {
            hearing.hears(ears.tracks());
            // Whoever takes connections and ends them at once, as a server that has too many does, is not to be asked at once again.
            if take_in(hearing, ears, (link, subscribed)).await {
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

/// Takes in what comes, until a connection is lost or says nothing any more; whether it was listened to at all.
async fn take_in(hearing: &Hearing, mut ears: Ears, (link, subscribed): (&Link, &Notify)) -> bool {
    let mut count = 0;
    loop {
        let new = hearing.unheard(count);
        if !new.is_empty() {
            let database = link.config().database;
            if !ears.attend(&new, (database, hearing.layout)).await {
                return count > 0;
            }
            if count == 0 {
                // What was sent before this connection listened is lost.
                hearing.hear(Event::Reconnected);
            }
            if ears.tracks() {
                // No number tells of what was changed by others than us before.
                hearing.hear(Event::Overflow);
            }
            count += new.len();
            hearing.subscribed(count);
            subscribed.notify_one();
        }
        let lives = pin!(ears.alive(link));
        let heard = pin!(ears.drained(hearing));
        let added = pin!(hearing.added.notified());
        // Where it is lost nothing is listened to any more.
        if let Either::Right(_) = select(added, select(lives, heard)).await {
            return true;
        }
    }
}
