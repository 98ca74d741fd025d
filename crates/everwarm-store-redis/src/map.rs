//! Which server has which slot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::node::Node;
use crate::value::Value;
use everwarm_network::chance::part_of;

/// Slots of a cluster.
const SLOTS: usize = 16_384;
/// How old a map may be before it is looked up again; a random part is added.
const AGE: Duration = Duration::from_secs(25);
const MORE: Duration = Duration::from_secs(10);

/// The servers, and which has which slot.
pub(crate) struct Map {
    /// The masters.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// The number of the master of each slot, one more than its place; empty if there is but one server.
    slots: Vec<u16>,
    old_at: Option<Instant>,
}

impl Map {
    /// One server, for good.
    pub(crate) fn fixed(node: Arc<Node>) -> Self {
        Self {
            nodes: vec![node],
            slots: Vec::new(),
            old_at: None,
        }
    }

    /// One server, until another one takes over.
    pub(crate) fn of_one(node: Arc<Node>) -> Self {
        Self {
            old_at: Some(Instant::now() + AGE + part_of(MORE)),
            ..Self::fixed(node)
        }
    }

    /// The masters of these ranges of slots.
    pub(crate) fn of_ranges(
        ranges: &[Range],
        mut node_at: impl FnMut(&Address) -> Arc<Node>,
    ) -> Self {
        let mut map = Self {
            nodes: Vec::new(),
            slots: vec![0; SLOTS],
            old_at: Some(Instant::now() + AGE + part_of(MORE)),
        };
        for range in ranges {
            let known = map
                .nodes
                .iter()
                .position(|node| node.address == range.master);
            let at = known.unwrap_or_else(|| {
                map.nodes.push(node_at(&range.master));
                map.nodes.len() - 1
            });
            map.slots[range.first..=range.last].fill(at as u16 + 1);
        }
        map
    }

    /// The server of a slot, if one has it.
    pub(crate) fn node(&self, slot: u16) -> Option<&Arc<Node>> {
        match self.slots.get(usize::from(slot)) {
            None => self.nodes.first(),
            Some(0) => None,
            Some(number) => self.nodes.get(usize::from(*number) - 1),
        }
    }

    /// Whether this is one of the masters.
    pub(crate) fn has(&self, node: &Arc<Node>) -> bool {
        self.nodes.iter().any(|other| Arc::ptr_eq(node, other))
    }

    /// Whether it should be looked up again.
    pub(crate) fn is_old(&self) -> bool {
        self.old_at.is_some_and(|at| at <= Instant::now())
    }
}

/// Slots that one master has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    first: usize,
    last: usize,
    master: Address,
}

impl Range {
    /// The ranges that `CLUSTER SLOTS` of the server at `asked` tells of; `None` for what is no such answer.
    pub(crate) fn all_in(value: &Value, asked: &Address) -> Option<Vec<Self>> {
        let Value::Array(ranges) = value else {
            return None;
        };
        ranges
            .iter()
            .map(|range| Self::one_in(range, asked))
            .collect()
    }

    fn one_in(value: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(parts) = value else {
            return None;
        };
        let [
            Value::Int(first),
            Value::Int(last),
            Value::Array(master),
            ..,
        ] = parts.as_slice()
        else {
            return None;
        };
        let [host, Value::Int(port), ..] = master.as_slice() else {
            return None;
        };
        let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
        (first <= last && last < SLOTS).then_some(())?;
        Some(Self {
            first,
            last,
            master: Address::Tcp {
                host: host_in(host, asked)?,
                port: u16::try_from(*port).ok()?,
            },
        })
    }
}

/// The host that a server names; one that names none means itself.
fn host_in(value: &Value, asked: &Address) -> Option<String> {
    let host = match value {
        Value::Nil => "",
        value => value.text()?,
    };
    match (host, asked) {
        ("" | "?", Address::Tcp { host, .. }) => Some(host.clone()),
        ("" | "?", Address::Unix(_)) => None,
        _ => Some(host.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = Value::Array(vec![host, Value::Int(port), Value::bulk("id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master])
    }

    fn asked() -> Address {
        Address::parse("seed:7000", 1).unwrap()
    }

    #[test]
    fn who_names_no_host_means_itself() {
        let told = Value::Array(vec![
            range(0, 5, Value::bulk(""), 7001),
            range(6, 16_383, Value::Nil, 7002),
        ]);
        let ranges = Range::all_in(&told, &asked()).unwrap();
        let masters: Vec<String> = ranges
            .iter()
            .map(|range| range.master.to_string())
            .collect();
        assert_eq!(masters, ["seed:7001", "seed:7002"]);
    }

    #[test]
    fn what_no_cluster_tells_is_no_map() {
        for told in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 16_384, Value::bulk("h"), 1)]),
            Value::Array(vec![range(5, 4, Value::bulk("h"), 1)]),
            Value::Array(vec![range(-1, 4, Value::bulk("h"), 1)]),
            Value::Array(vec![range(0, 4, Value::bulk("h"), 70_000)]),
        ] {
            assert_eq!(Range::all_in(&told, &asked()), None, "{told:?}");
        }
    }
}
