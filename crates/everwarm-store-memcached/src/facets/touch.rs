//! Ttls of entries that are there: what lies there is written anew, as long as it is what was read.

use std::time::Duration;

use everwarm_core::store::{Answer, Failure, Touch};

use crate::batch::Mode;
use crate::error::contended;
use crate::item::{Clock, header};
use crate::life::Life;
use crate::replies::Written;
use crate::round;
use crate::store::{Memcached, TRIES, given};

impl Memcached {
    async fn touch_one(&self, name: &str, ttl: Option<Duration>) -> Result<bool, Failure> {
        let node = self.node(name)?;
        let life = Life::of(ttl);
        for _ in 0..TRIES {
            let (key, item) = self.look(node, name).await?;
            let Some(item) = item.filter(|item| item.is_there()) else {
                return Ok(false);
            };
            // A counter takes its end from its new life when it changes next.
            let head = header(item.version, item.value().len(), Clock::default());
            let terms = (Mode::Over(item.cas), item.kind);
            let terms = self.terms(node, terms, life).await?;
            let parts = [&head[..], item.rest()];
            let reply = round::one(node, |batch| batch.set(&key, &parts, terms)).await?;
            match reply.written()? {
                Written::Done => return Ok(true),
                Written::Gone => return Ok(false),
                Written::Not => {}
            }
        }
        Err(contended())
    }
}

impl Touch for Memcached {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        given(self.touch_one(name, ttl))
    }
}
