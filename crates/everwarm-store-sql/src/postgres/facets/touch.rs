//! Ttls of entries that are there.

use std::time::Duration;

use everwarm_core::store::{Answer, Touch};

use crate::postgres::Postgres;
use crate::postgres::entry::{micros, named, values};
use crate::postgres::statements::Statement;

impl Touch for Postgres {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        Answer::later(async move {
            let values = values![named(name)?, micros(ttl)];
            let rows = self.ask(Statement::Expire, values).await?;
            Ok(!rows.is_empty())
        })
    }
}
