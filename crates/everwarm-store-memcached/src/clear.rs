//! Clearing without a list of names: on each server the names that begin with a prefix are given another number.

use std::sync::Arc;

use everwarm_core::store::{Failure, FailureKind};
use futures_util::future::try_join_all;

use crate::batch::{Mode, Terms};
use crate::error::contended;
use crate::generation::Generation;
use crate::names::{self, key_of_space, space_of};
use crate::node::Node;
use crate::replies::Written;
use crate::round;
use crate::store::{Memcached, TRIES};

impl Memcached {
    /// Clears all names that begin with a prefix; how many these were nobody knows.
    ///
    /// # Errors
    /// `Capability` for a prefix that is of many namespaces; else the failure of a server that could not be told.
    pub(crate) async fn clear_all(&self, prefix: &str) -> Result<u64, Failure> {
        let nodes = self.link.nodes()?;
        if !prefix.contains(':') {
            return Err(Failure::new(
                FailureKind::Capability,
                "a clear of names that are of no one namespace needs a list of them, which Memcached does not have",
                "clear by a prefix with a colon, as the names of a namespace begin: \"shop:\"",
            ));
        }
        if prefix.len() <= names::LONGEST {
            try_join_all(nodes.iter().map(|node| clear_on(node, prefix))).await?;
        }
        Ok(0)
    }
}

/// Gives the names on a server that begin with a prefix another number.
async fn clear_on(node: &Node, prefix: &str) -> Result<(), Failure> {
    let space = space_of(prefix);
    let key = key_of_space(space);
    for _ in 0..TRIES {
        let reply = round::one(node, |batch| batch.get(&key, "vc")).await?;
        let (next, mode) = match reply.data()? {
            // What is no number of ours counts for nothing, and goes.
            Some(data) => {
                let before = Generation::decode(data).unwrap_or_else(Generation::fresh);
                (before.after_clear(space, prefix), Mode::Over(reply.cas))
            }
            None => (Generation::fresh(), Mode::Add),
        };
        let terms = Terms {
            mode,
            flags: 0,
            ends: 0,
        };
        let written = round::one(node, |batch| batch.set(&key, &[&next.encode()], terms)).await?;
        if written.written()? == Written::Done {
            node.note_generation(space, Some(Arc::new(next)));
            return Ok(());
        }
    }
    Err(contended())
}
