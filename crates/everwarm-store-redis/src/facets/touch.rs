//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};

use crate::entry::millis;
use crate::request::Request;
use crate::script::script;
use crate::store::{Redis, given};

script!(
    /// Has an entry end after a while.
    EXPIRE = "now.lua", "put.lua", "expire.lua"
);

impl Touch for Redis {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        let request = self.keys(name).map(|keys| {
            let given = vec![millis(ttl).into()];
            Request::script(keys.slot, &EXPIRE, vec![keys.entry], given)
        });
        given(async move { Ok(self.number(request).await? == 1) })
    }
}
