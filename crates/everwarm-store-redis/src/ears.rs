//! The connections on which a process hears of others: one, or, where changes of keys are to be told, one to each master.
//!
//! Any server of a cluster tells of all messages, but a master tells of changes of its own keys alone. So the first connection is for
//! messages and the first master's keys, each further one for those of its master. They live and end together, since what is lost of
//! one is a gap of the whole: where one is lost, and where other masters have the keys than those that are heard. One server is a
//! cluster of one.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::store::Failure;
use futures_util::future::{select_all, try_join_all};
use redis::RedisConnectionInfo;
use tokio::time::{sleep, timeout};

use crate::config::Hear;
use crate::deadline::Deadline;
use crate::error;
use crate::hearing::Hearing;
use crate::keys::{Layout, space_in};
use crate::link::Link;
use crate::node::Node;
use crate::tidings::{self, Asks, Heard, Hears};
use everwarm_network::chance::number;

/// How often the servers are asked whether they are there, and it is looked whether they are the masters.
const EVERY: Duration = Duration::from_millis(500);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections, of which the first is for messages.
pub(crate) struct Ears {
    asks: Vec<Asks>,
    hears: Vec<Hears>,
    /// Who is to tell.
    nodes: Vec<Arc<Node>>,
}

/// Who is to tell, once they are there: any of the masters, or all of them, where each is to tell of its own keys.
///
/// # Errors
/// If they are not known, or one of them is not there.
pub(crate) async fn found(link: &Link) -> Result<Vec<Arc<Node>>, Failure> {
    let topology = link.topology()?;
    let deadline = Deadline::after(topology.dial().limit, 0);
    let mut nodes = topology.map(&deadline).await?.nodes.clone();
    if nodes.is_empty() {
        return Err(error::closed());
    }
    // Not everybody has the same one tell of messages.
    let first = number() as usize % nodes.len();
    nodes.rotate_left(first);
    if !wants_changes(link) {
        nodes.truncate(1);
    }
    try_join_all(nodes.iter().map(|node| node.is_back(&deadline))).await?;
    Ok(nodes)
}

fn wants_changes(link: &Link) -> bool {
    link.config().hear == Hear::Tracking
}

impl Ears {
    /// A connection to each of these servers. Where tracking is asked for and one of them refuses it, messages alone are heard: what
    /// some tell of their keys would pass for what all do.
    ///
    /// # Errors
    /// If one of them cannot be had.
    pub(crate) async fn to(nodes: Vec<Arc<Node>>, link: &Link) -> Result<Self, Failure> {
        let connected = nodes.iter().map(|node| connect(link, node));
        let connected = try_join_all(connected).await?;
        let (mut asks, mut hears): (Vec<_>, Vec<_>) = connected.into_iter().unzip();
        if !asks.iter().all(Asks::tracks) {
            asks.truncate(1);
            hears.truncate(1);
            asks.iter_mut().for_each(Asks::track_nothing);
        }
        Ok(Self { asks, hears, nodes })
    }

    /// Whether changes of keys are told, too.
    pub(crate) fn tracks(&self) -> bool {
        self.asks.iter().all(Asks::tracks)
    }

    /// Hears of these namespaces from here on; whether all servers agreed.
    pub(crate) async fn attend(
        &mut self,
        spaces: &[Box<str>],
        (database, layout): (u32, Layout),
    ) -> bool {
        let attended = self
            .asks
            .iter_mut()
            .enumerate()
            .map(|(at, asks)| async move {
                asks.track(spaces, layout).await?;
                match at {
                    0 => asks.subscribe(spaces, database).await,
                    _ => Ok(()),
                }
            });
        matches!(timeout(PATIENCE, try_join_all(attended)).await, Ok(Ok(_)))
    }

    /// Asks the servers now and then whether they are there; over when one is not, or other masters are to tell of their keys.
    pub(crate) fn alive<'a>(&self, link: &'a Link) -> impl Future<Output = ()> + use<'a> {
        let mut asks = self.asks.clone();
        let nodes = wants_changes(link).then(|| self.nodes.clone());
        async move {
            loop {
                sleep(EVERY).await;
                if let (Some(nodes), Ok(topology)) = (&nodes, link.topology())
                    && !topology.are_masters(nodes)
                {
                    return;
                }
                let pings = asks.iter_mut().map(Asks::ping);
                match timeout(PATIENCE, try_join_all(pings)).await {
                    Ok(Ok(_)) => {}
                    _ => return,
                }
            }
        }
    }

    /// Takes in what comes until there is no more from one of the servers.
    pub(crate) async fn drained(&mut self, hearing: &Hearing) {
        let drained = self.hears.iter_mut().map(|hears| {
            // In one place for as long as it is polled.
            Box::pin(drained(hears, hearing))
        });
        select_all(drained).await;
    }
}

/// A connection in the newest version of the protocol that the server speaks. Where tracking is asked for and the server refuses it,
/// for messages alone.
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
        let (stream, _) = dial.stream(address).await?;
        let newer = (address, info.clone());
        if let Some(line) = tidings::pushing(stream, newer, wants_changes(link)).await? {
            return Ok(line);
        }
        let (stream, _) = dial.stream(address).await?;
        tidings::older(stream, (address, info)).await
    };
    timeout(dial.limit, connected).await.unwrap_or(Err(late))
}

/// Takes in what comes on one connection until there is no more.
async fn drained(hears: &mut Hears, hearing: &Hearing) {
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
