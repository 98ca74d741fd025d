//! Writes that depend on what is there: it is read, and replaced if it is still what was read.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional, Failure};

use crate::batch::Mode;
use crate::error::contended;
use crate::item::{Clock, Kind, header};
use crate::life::Life;
use crate::replies::Written;
use crate::round;
use crate::store::{Memcached, TRIES, given};
use everwarm_network::chance::number;

impl Memcached {
    async fn set_if_one(
        &self,
        name: &str,
        (bytes, ttl): (Bytes, Option<Duration>),
        condition: Condition,
    ) -> Result<Option<u64>, Failure> {
        let node = self.node(name)?;
        self.fits(&bytes)?;
        let (version, life) = (number(), Life::of(ttl));
        let head = header(version, bytes.len(), Clock::default());
        for _ in 0..TRIES {
            let (key, item) = self.look(node, name).await?;
            let there = item.as_ref().filter(|item| item.is_there());
            let holds = match condition {
                Condition::Absent => there.is_none(),
                Condition::Present => there.is_some(),
                Condition::Version(expected) => there.is_some_and(|item| item.version == expected),
            };
            if !holds {
                return Ok(None);
            }
            let mode = item.map_or(Mode::Add, |item| Mode::Over(item.cas));
            let terms = self.terms(node, (mode, Kind::Value), life).await?;
            let parts = [&head[..], &bytes];
            let reply = round::one(node, |batch| batch.set(&key, &parts, terms)).await?;
            if reply.written()? == Written::Done {
                return Ok(Some(version));
            }
        }
        Err(contended())
    }

    async fn delete_if_one(&self, name: &str, version: u64) -> Result<bool, Failure> {
        let node = self.node(name)?;
        for _ in 0..TRIES {
            let (key, item) = self.look(node, name).await?;
            let there = item.filter(|item| item.is_there() && item.version == version);
            let Some(item) = there else {
                return Ok(false);
            };
            let reply = round::one(node, |batch| batch.delete(&key, Some(item.cas))).await?;
            match reply.written()? {
                Written::Done => return Ok(true),
                Written::Gone => return Ok(false),
                // A lease may have come, which is not another value.
                Written::Not => {}
            }
        }
        Err(contended())
    }
}

impl Conditional for Memcached {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        given(self.set_if_one(name, (bytes, ttl), condition))
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        given(self.delete_if_one(name, version))
    }
}
