//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};

use crate::mysql::Mysql;
use crate::mysql::entry::{micros, named};
use crate::mysql::script::Value;
use crate::mysql::statements::Statement;

impl Touch for Mysql {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        Answer::later(async move {
            let mut script = self.link.script();
            let values = [Value::End(micros(ttl)), Value::Bytes(named(name)?)];
            let place = script.add(Statement::Expire, &values);
            Ok(self.link.ask(script).await?.affected(place)? > 0)
        })
    }
}
