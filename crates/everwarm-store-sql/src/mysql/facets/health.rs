//! What the database says of itself and of the tables.

use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::store::{Answer, Failure, Health};

use crate::mysql::Mysql;
use crate::mysql::script::Value;
use crate::mysql::statements::Statement;

impl Mysql {
    async fn looked(&self, is_full: bool) -> Result<Report, Failure> {
        let tables = self.dialer().names.all();
        let tables: Vec<&[u8]> = tables.iter().map(|name| name.as_bytes()).collect();
        let mut script = self.link.script();
        let look = script.add(Statement::Look, &[]);
        let busy = script.add(Statement::Clients, &[]);
        let values = [Value::Texts(&tables[..1]), Value::Texts(&tables)];
        let sizes = script.add(Statement::Sizes, &values);
        let mut said = self.link.ask(script).await?;
        let (version, most): (String, u64) = (said.cell(look, 0)?, said.cell(look, 1)?);
        let (flushes, packet): (u64, u64) = (said.cell(look, 2)?, said.cell(look, 3)?);
        let clients: u64 = said.cell(busy, 1)?;
        let (bytes, rows): (u64, u64) = (said.cell(sizes, 0)?, said.cell(sizes, 1)?);
        let mut remarks = Vec::new();
        if clients * 10 >= most * 9 {
            remarks.push(Remark::trouble(
                "connections",
                format!("{clients} of {most} connections of the server are taken"),
                "raise max_connections of the server, or lower connections=",
            ));
        }
        if is_full && flushes != 1 {
            remarks.push(Remark::setting(
                "durability",
                "the server acknowledges what a crash may lose: deletions and invalidations come undone then",
                "set innodb_flush_log_at_trx_commit to 1",
            ));
        }
        Ok(Report {
            facts: vec![
                ("version", version.into()),
                ("bytes", bytes.into()),
                ("rows", rows.into()),
                ("clients", clients.into()),
                ("max_clients", most.into()),
                ("max_packet", packet.into()),
                ("connections", (self.link.here().pool.count() as u64).into()),
            ],
            remarks,
        })
    }
}

impl Health for Mysql {
    fn deadline(&self) -> Option<Duration> {
        self.dialer().config.timeout
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::later(self.looked(is_full))
    }
}
