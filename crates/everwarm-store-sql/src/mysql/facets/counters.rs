//! Numbers that are changed in one step.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters, Failure, FailureKind};

use crate::mysql::Mysql;
use crate::mysql::entry::{micros, named};
use crate::mysql::script::Value;
use crate::mysql::statements::Statement;
use crate::mysql::store::tell;
use everwarm_network::chance;

impl Counters for Mysql {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        Answer::later(async move {
            let key = Value::Bytes(named(name)?);
            // It may leave 64 bits, which the database looks at in either case.
            let first = (i128::from(initial) + i128::from(by)).to_string();
            let mut script = self.link.script();
            script.all(&[Statement::Forget, Statement::Start]);
            script.add(Statement::HoldEntry, &[key]);
            script.add(Statement::Count, &[key]);
            script.add(Statement::Sum, &[Value::Text(&first), Value::Int(by)]);
            let values = [Value::Int(chance::bigint()), Value::End(micros(ttl)), key];
            script.add(Statement::PutSum, &values);
            script.all(&[Statement::Did]);
            tell(&mut script, &self.told([name]));
            script.all(&[Statement::Commit]);
            let sum = script.add(Statement::SaySum, &[]);
            let mut said = self.link.ask(script).await?;
            let (number, did): (Option<String>, i64) = (said.cell(sum, 0)?, said.cell(sum, 1)?);
            let number = number.filter(|_| did > 0).and_then(|sum| sum.parse().ok());
            number.ok_or_else(refused)
        })
    }
}

fn refused() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "what is counted up is no number, or would leave 64 bits",
        "count under a name of its own, or delete the counter and begin anew",
    )
}
