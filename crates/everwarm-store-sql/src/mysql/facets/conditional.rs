//! Writes that depend on what is there.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional};

use crate::mysql::Mysql;
use crate::mysql::entry::{micros, named};
use crate::mysql::script::Value;
use crate::mysql::statements::Statement;
use crate::mysql::store::{row, tell};
use everwarm_network::chance;

impl Conditional for Mysql {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        Answer::later(async move {
            let version = chance::bigint();
            let key = Value::Bytes(named(name)?);
            let (written, number) = (Value::Bytes(&bytes), Value::Int(version));
            let end = Value::End(micros(ttl));
            let mut script = self.link.script();
            script.all(&[Statement::Start]);
            match condition {
                Condition::Absent => {
                    let rows = [row(name, &bytes, version, ttl)?];
                    script.add(Statement::SetAbsent, &[Value::Rows(&rows)]);
                    script.add(Statement::DidAbsent, &[key, number]);
                }
                Condition::Present => {
                    script.add(Statement::SetPresent, &[written, number, end, key]);
                    script.all(&[Statement::Did]);
                }
                Condition::Version(expected) => {
                    let expected = Value::Int(expected as i64);
                    let values = [written, number, end, key, expected];
                    script.add(Statement::SetVersion, &values);
                    script.all(&[Statement::Did]);
                }
            }
            tell(&mut script, &self.told([name]));
            script.all(&[Statement::Commit]);
            let did = script.add(Statement::SayDid, &[]);
            let did: i64 = self.link.ask(script).await?.cell(did, 0)?;
            Ok((did > 0).then_some(version as u64))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let key = Value::Bytes(named(name)?);
            let mut script = self.link.script();
            script.all(&[Statement::Start]);
            let values = [key, Value::Int(version as i64)];
            let gone = script.add(Statement::DeleteVersion, &values);
            script.all(&[Statement::Did]);
            tell(&mut script, &self.told([name]));
            script.all(&[Statement::Commit]);
            Ok(self.link.ask(script).await?.affected(gone)? > 0)
        })
    }
}
