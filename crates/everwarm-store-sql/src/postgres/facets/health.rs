//! What the database says of itself and of the tables.

use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::store::{Answer, Failure, Health};
use tokio_postgres::Row;

use crate::postgres::Postgres;
use crate::postgres::entry::values;
use crate::postgres::statements::Statement;
use crate::server::failure::unexpected;

/// What was asked.
struct Looked {
    version: String,
    is_in_recovery: bool,
    bytes: i64,
    rows: i64,
    is_unlogged: bool,
    commits: String,
    fsync: String,
    most: i64,
    clients: i64,
}

impl Looked {
    fn read(row: &Row) -> Option<Self> {
        Some(Self {
            version: row.try_get(0).ok()?,
            is_in_recovery: row.try_get(1).ok()?,
            bytes: row.try_get(2).ok()?,
            rows: row.try_get(3).ok()?,
            is_unlogged: row.try_get(4).ok()?,
            commits: row.try_get(5).ok()?,
            fsync: row.try_get(6).ok()?,
            most: row.try_get(7).ok()?,
            clients: row.try_get(8).ok()?,
        })
    }

    fn troubles(&self, remarks: &mut Vec<Remark>) {
        if self.is_in_recovery {
            remarks.push(Remark::trouble(
                "role",
                "this server takes no writes",
                "name the one that does, or all of them: \"postgresql://h1,h2/database\"",
            ));
        }
        if self.clients * 10 >= self.most * 9 {
            remarks.push(Remark::trouble(
                "connections",
                format!(
                    "{} of {} connections of the server are taken",
                    self.clients, self.most
                ),
                "raise max_connections of the server, or lower connections=",
            ));
        }
    }

    fn settings(&self, remarks: &mut Vec<Remark>) {
        if !self.is_unlogged && (self.commits == "off" || self.fsync == "off") {
            remarks.push(Remark::setting(
                "durability",
                "the server acknowledges what a crash may lose: deletions and invalidations come undone then",
                "set synchronous_commit and fsync on, or use a database of its own with unlogged=true, which forgets all",
            ));
        }
    }
}

impl Postgres {
    async fn looked(&self, is_full: bool) -> Result<Report, Failure> {
        let dialer = self.link.dialer();
        let table = dialer.names.within("%entries%");
        let rows = self.ask(Statement::Look, values![table]).await?;
        let looked = rows.first().and_then(Looked::read);
        let looked = looked.ok_or_else(|| unexpected("a look at it"))?;
        let mut remarks = Vec::new();
        looked.troubles(&mut remarks);
        if is_full {
            looked.settings(&mut remarks);
        }
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Report {
            facts: vec![
                ("version", format!("postgresql {}", looked.version).into()),
                ("bytes", count(looked.bytes).into()),
                ("rows", count(looked.rows).into()),
                ("clients", count(looked.clients).into()),
                ("max_clients", count(looked.most).into()),
                ("connections", (self.link.connections() as u64).into()),
            ],
            remarks,
        })
    }
}

impl Health for Postgres {
    fn deadline(&self) -> Option<Duration> {
        self.link.dialer().config.timeout
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::later(self.looked(is_full))
    }
}
