//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};
use redis::cmd;

use crate::entry::millis;
use crate::request::Request;
use crate::store::Redis;

impl Touch for Redis {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        let request = self.keys(name).map(|keys| {
            let mut expire = cmd("PEXPIRE");
            expire.arg(&keys.entry).arg(millis(ttl));
            Request::one(keys.slot, expire)
        });
        Answer::later(async move { Ok(self.number(request).await? == 1) })
    }
}
