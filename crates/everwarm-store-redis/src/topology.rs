//! Where the servers are: one that the URL names, the master that sentinels name, or the masters of a cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use everwarm_core::store::{Failure, FailureKind};
use futures_util::future::select_ok;
use parking_lot::Mutex;
use redis::{Pipeline, cmd};
use rustls::ClientConfig;

use crate::address::Address;
use crate::config::{Config, Place};
use crate::deadline::Deadline;
use crate::dial::Dial;
use crate::error::{answered, unexpected};
use crate::handshake::Handshake;
use crate::map::{Map, Range};
use crate::met::{Failovers, Met, Reign};
use crate::node::Node;
use crate::packed::Packed;
use crate::renewed::Renewed;
use crate::shared::Cut;
use crate::value::Value;
use everwarm_network::chance::number;

/// Servers that are asked one thing at once: one that is dead should cost nobody its time limit.
const AT_ONCE: usize = 3;

/// Makes sense of what a server said.
type Read<'a, T> = dyn Fn(Value, &Address) -> Result<T, Failure> + Send + Sync + 'a;

/// The servers of a store, as one process knows them.
pub(crate) struct Topology {
    place: Place,
    dial: Dial,
    sentinel_dial: Dial,
    /// The one server, which stays.
    fixed: Option<Arc<Map>>,
    map: Renewed<Map>,
    nodes: Mutex<BTreeMap<Address, Arc<Node>>>,
    met: Arc<Met>,
    this: Weak<Self>,
}

impl Topology {
    /// Servers that nobody asked yet.
    pub(crate) fn new(
        config: &Config,
        tls: Option<Arc<ClientConfig>>,
        failovers: &Failovers,
    ) -> Arc<Self> {
        let dial = Dial {
            handshake: Handshake {
                credentials: config.credentials.clone(),
                database: config.database,
                wants_master: matches!(config.place, Place::Sentinel { .. }),
            },
            tls,
            limit: config.connect_timeout,
        };
        let sentinel_dial = Dial {
            handshake: Handshake {
                credentials: config.sentinel_credentials.clone(),
                database: 0,
                wants_master: false,
            },
            ..dial.clone()
        };
        let met = Arc::new(Met::new(failovers));
        Arc::new_cyclic(|this| Self {
            map: Renewed::new(match &config.place {
                Place::Server(address) => address.to_string(),
                Place::Sentinel { name, .. } => format!("the master {name}"),
                Place::Cluster(_) => "the cluster".to_owned(),
            }),
            fixed: match &config.place {
                Place::Server(address) => {
                    let node = Node::new(address.clone(), dial.clone(), Reign::new(&met, true));
                    Some(Arc::new(Map::fixed(Arc::new(node))))
                }
                _ => None,
            },
            place: config.place.clone(),
            dial,
            sentinel_dial,
            nodes: Mutex::default(),
            met,
            this: Weak::clone(this),
        })
    }

    /// How servers are connected to.
    pub(crate) const fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Which server has which slot.
    ///
    /// # Errors
    /// If it cannot be found out, or not in time.
    pub(crate) async fn map(&self, deadline: &Deadline) -> Result<Arc<Map>, Failure> {
        if let Some(fixed) = &self.fixed {
            return Ok(Arc::clone(fixed));
        }
        let first = self.dial.limit * 2;
        let map = self.map.get((deadline, first), || self.find()).await?;
        if map.is_old() {
            self.look_again();
        }
        Ok(map)
    }

    /// Looks again which server has which slot, in the background: something spoke against what is known.
    pub(crate) fn look_again(&self) {
        if self.fixed.is_none() {
            self.map.renew(|| self.find());
        }
    }

    /// Whether these, and no others, are the masters, as far as is known.
    pub(crate) fn are_masters(&self, nodes: &[Arc<Node>]) -> bool {
        let map = self.fixed.clone().or_else(|| self.map.there());
        map.is_none_or(|map| {
            map.nodes.len() == nodes.len() && nodes.iter().all(|node| map.has(node))
        })
    }

    /// The server at an address.
    pub(crate) fn node_at(&self, address: &Address) -> Arc<Node> {
        let mut nodes = self.nodes.lock();
        if let Some(node) = nodes.get(address) {
            return Arc::clone(node);
        }
        let reign = Reign::new(&self.met, self.is_new());
        let node = Arc::new(Node::new(address.clone(), self.dial.clone(), reign));
        nodes.insert(address.clone(), Arc::clone(&node));
        node
    }

    /// Whether nobody knows yet where the servers are.
    pub(crate) fn is_new(&self) -> bool {
        self.fixed.is_none() && self.map.is_first()
    }

    /// The one server that there is, where it stays.
    pub(crate) fn only(&self) -> Option<&Arc<Node>> {
        self.fixed.as_ref()?.nodes.first()
    }

    /// Lets go of what a parent process asked on.
    pub(crate) fn leave(&self) {
        let fixed = self.fixed.iter().flat_map(|map| &map.nodes);
        fixed.for_each(|node| node.leave());
        if let Some(nodes) = self.nodes.try_lock() {
            nodes.values().for_each(|node| node.leave());
        }
    }

    /// Drops all connections.
    pub(crate) fn close(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock());
        let fixed = self.fixed.iter().flat_map(|map| &map.nodes);
        nodes.values().chain(fixed).for_each(|node| node.close());
        self.map.close();
    }

    fn find(&self) -> impl Future<Output = Result<Map, Failure>> + Send + 'static {
        let this = self.this.upgrade();
        async move {
            let this = this.ok_or_else(crate::error::closed)?;
            let map = match &this.place {
                Place::Server(address) => Map::fixed(this.node_at(address)),
                Place::Sentinel { sentinels, name } => this.find_master(sentinels, name).await?,
                Place::Cluster(seeds) => this.find_cluster(seeds).await?,
            };
            this.forget_all_but(&map);
            Ok(map)
        }
    }

    /// Lets go of servers that have nothing any more.
    fn forget_all_but(&self, map: &Map) {
        let mut gone = Vec::new();
        self.nodes.lock().retain(|_, node| {
            let is_kept = map.has(node);
            if !is_kept {
                gone.push(Arc::clone(node));
            }
            is_kept
        });
        gone.iter().for_each(|node| node.close());
    }

    async fn find_master(&self, sentinels: &[Address], name: &str) -> Result<Map, Failure> {
        let mut question = redis::pipe();
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        question.add_command(ask);
        let read = |told: Value, _: &Address| match told {
            Value::Array(parts) => master_in(&parts).ok_or_else(|| unexpected("the sentinels")),
            Value::Nil => Err(unknown_master(name)),
            _ => Err(unexpected("the sentinels")),
        };
        let master = self.ask_some(sentinels, &self.sentinel_dial, (&question, &read));
        Ok(Map::of_one(self.node_at(&master.await?)))
    }

    async fn find_cluster(&self, seeds: &[Address]) -> Result<Map, Failure> {
        let mut question = redis::pipe();
        question.cmd("CLUSTER").arg("SLOTS");
        let mut known: Vec<Address> = self.nodes.lock().keys().cloned().collect();
        // Not everybody asks the same one.
        let first = number() as usize % known.len().max(1);
        known.rotate_left(first);
        known.extend_from_slice(seeds);
        let read = |told: Value, asked: &Address| {
            let ranges = Range::all_in(&told, asked).filter(|ranges| !ranges.is_empty());
            ranges.ok_or_else(|| unexpected("CLUSTER SLOTS"))
        };
        let ranges = self
            .ask_some(&known, &self.dial, (&question, &read))
            .await?;
        Ok(Map::of_ranges(&ranges, |address| self.node_at(address)))
    }

    /// The first answer of these servers, of which a few are asked at once.
    async fn ask_some<T>(
        &self,
        addresses: &[Address],
        dial: &Dial,
        (question, read): (&Pipeline, &Read<'_, T>),
    ) -> Result<T, Failure> {
        let mut last = unexpected("a question");
        for some in addresses.chunks(AT_ONCE) {
            let asked = some.iter().map(|address| {
                Box::pin(async move {
                    let told = ask_once(address, dial, question).await?;
                    read(told, address)
                })
            });
            match select_ok(asked).await {
                Ok((answer, _)) => return Ok(answer),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }
}

/// Asks a server one thing, on a connection of its own.
async fn ask_once(address: &Address, dial: &Dial, question: &Pipeline) -> Result<Value, Failure> {
    let deadline = Deadline::after(dial.limit, 0);
    let connection = dial.clone().shared(address.clone()).await?;
    let replies = connection.exchange(Packed::from(question), &deadline).await;
    let mut replies = replies.map_err(|cut| match cut {
        Cut::Lost(failure) | Cut::TimedOut(failure) => failure,
    })?;
    match replies.pop() {
        Some(Value::ServerError(error)) => Err(answered(&error)),
        other => other.ok_or_else(|| unexpected("a question")),
    }
}

fn master_in(parts: &[Value]) -> Option<Address> {
    let [Value::BulkString(host), Value::BulkString(port)] = parts else {
        return None;
    };
    Some(Address::Tcp {
        host: std::str::from_utf8(host).ok()?.to_owned(),
        port: std::str::from_utf8(port).ok()?.parse().ok()?,
    })
}

fn unknown_master(name: &str) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the sentinels know no master {name:?}, or none that is up"),
        "look how sentinel.conf calls it, and write that behind the hosts of the URL",
    )
}
