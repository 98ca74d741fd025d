//! The names: each master is gone through by its own cursor. `clear` goes the same way.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use everwarm_core::store::{Answer, Bytes, Failure, FailureKind, Page, Scan};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use redis::{Pipeline, cmd};

use crate::error::{answered, unexpected};
use crate::keys::{Kind, name_in, pattern, slot_of};
use crate::node::Node;
use crate::store::{Redis, given};
use crate::value::Value;
use everwarm_network::chance::number;

/// Keys that a server looks at in one go.
const LOOKED_AT: usize = 512;
/// Goes that one page takes at most.
const GOES: usize = 64;
/// Scans that may be under way at once; the oldest gives way.
const AT_ONCE: usize = 16;

/// The scans that are under way.
#[derive(Default)]
pub(crate) struct Scans {
    open: Mutex<VecDeque<Under>>,
}

/// A scan that is under way.
struct Under {
    token: String,
    masters: Vec<Arc<Node>>,
    at: usize,
    cursor: Vec<u8>,
    /// Hashes of the names that were given: a server may show one twice when it has fewer of them.
    given: HashSet<u64>,
    hasher: RandomState,
}

impl Scan for Redis {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        given(async move {
            let mut under = match after {
                None => Under::new(self.link.masters().await?),
                Some(token) => self.scans.take(token)?,
            };
            let mut names = Vec::new();
            for _ in 0..GOES {
                if names.len() >= limit.max(1) || under.is_over() {
                    break;
                }
                let found = self.go_on(&mut under, prefix).await?;
                names.extend(under.not_given(found));
            }
            let next = (!under.is_over()).then(|| self.scans.put(under));
            Ok(Page { names, next })
        })
    }
}

impl Scans {
    fn take(&self, token: &str) -> Result<Under, Failure> {
        let mut open = self.open.lock();
        let at = open.iter().position(|under| under.token == token);
        at.and_then(|at| open.remove(at)).ok_or_else(no_place)
    }

    fn put(&self, under: Under) -> String {
        let token = under.token.clone();
        let mut open = self.open.lock();
        open.push_back(under);
        let oldest = (open.len() > AT_ONCE).then(|| open.pop_front());
        drop(open);
        drop(oldest);
        token
    }
}

impl Under {
    fn new(masters: Vec<Arc<Node>>) -> Self {
        Self {
            token: format!("{:x}", number()),
            masters,
            at: 0,
            cursor: b"0".to_vec(),
            given: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.at >= self.masters.len()
    }

    /// Of these names those that were not given before.
    fn not_given(&mut self, names: Vec<String>) -> Vec<String> {
        let mut new = names;
        new.retain(|name| self.given.insert(self.hasher.hash_one(name)));
        new
    }
}

impl Redis {
    /// Some more names of a scan.
    async fn go_on(&self, under: &mut Under, prefix: &str) -> Result<Vec<String>, Failure> {
        let node = Arc::clone(&under.masters[under.at]);
        let (cursor, keys) = self
            .look(&node, &under.cursor, (prefix, Kind::Entry))
            .await?;
        if cursor == b"0" {
            under.at += 1;
        }
        under.cursor = cursor;
        let names = keys.iter().filter_map(|key| name_in(key, Kind::Entry));
        let names = names.filter(|name| name.starts_with(prefix));
        Ok(names.map(str::to_owned).collect())
    }

    /// Some keys of a master, and where to go on.
    pub(super) async fn look(
        &self,
        node: &Arc<Node>,
        cursor: &[u8],
        (prefix, kind): (&str, Kind),
    ) -> Result<(Vec<u8>, Vec<Bytes>), Failure> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern(prefix, kind));
        scan.arg("COUNT").arg(LOOKED_AT);
        let mut pipeline = redis::pipe();
        pipeline.add_command(scan);
        let mut replies = self.link.ask_node(node, &pipeline).await?;
        match replies.pop() {
            Some(Value::Array(parts)) => read(parts).ok_or_else(|| unexpected("SCAN")),
            Some(Value::ServerError(error)) => Err(answered(&error)),
            _ => Err(unexpected("SCAN")),
        }
    }

    /// Takes away all names that begin with `prefix`. First their leases: what was computed before is not set after, and what was set
    /// before them is there for the whole of the second round.
    pub(crate) async fn clear_all(&self, prefix: &str) -> Result<u64, Failure> {
        let masters = self.link.masters().await?;
        let mut cleared = 0;
        for kind in [Kind::Lease, Kind::Entry] {
            let all = masters
                .iter()
                .map(|node| self.clear_of(node, (prefix, kind)));
            cleared = try_join_all(all).await?.iter().sum();
        }
        self.tell_cleared(prefix).await?;
        Ok(cleared)
    }

    /// Takes away all keys of one master and kind; how many there were.
    async fn clear_of(&self, node: &Arc<Node>, of: (&str, Kind)) -> Result<u64, Failure> {
        let mut cursor = b"0".to_vec();
        let mut cleared = 0;
        loop {
            let (next, mut keys) = self.look(node, &cursor, of).await?;
            keys.retain(|key| name_in(key, of.1).is_some_and(|name| name.starts_with(of.0)));
            if !keys.is_empty() {
                let replies = self.link.ask_node(node, &unlink(keys)).await?;
                for reply in replies {
                    match reply {
                        Value::Int(were) => cleared += u64::try_from(were).unwrap_or(0),
                        Value::ServerError(error) => return Err(answered(&error)),
                        _ => return Err(unexpected("UNLINK")),
                    }
                }
            }
            if next == b"0" {
                return Ok(cleared);
            }
            cursor = next;
        }
    }
}

/// The commands that take keys away, one for each slot.
fn unlink(mut keys: Vec<Bytes>) -> Pipeline {
    let slot = |key: &Bytes| slot_of(&String::from_utf8_lossy(key));
    keys.sort_by_key(slot);
    let mut pipeline = redis::pipe();
    for some in keys.chunk_by(|one, other| slot(one) == slot(other)) {
        pipeline.cmd("UNLINK");
        for key in some {
            pipeline.arg(&key[..]);
        }
    }
    pipeline
}

fn read(parts: Vec<Value>) -> Option<(Vec<u8>, Vec<Bytes>)> {
    let [Value::BulkString(cursor), Value::Array(keys)] = <[Value; 2]>::try_from(parts).ok()?
    else {
        return None;
    };
    let keys = keys.into_iter().map(|key| match key {
        Value::BulkString(key) => Some(key),
        _ => None,
    });
    Some((cursor.to_vec(), keys.collect::<Option<_>>()?))
}

fn no_place() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "a scan cannot go on from what no page of this store gave, or gave long ago",
        "begin with `None`, and go on with `next`",
    )
}
