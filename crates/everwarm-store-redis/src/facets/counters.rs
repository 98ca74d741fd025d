//! Numbers, kept as decimal texts.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters, Failure, FailureKind};

use crate::entry::{header, millis};
use crate::error::unexpected;
use crate::script::script;
use crate::store::{Redis, given};
use crate::value::Value;
use everwarm_network::chance::number;

script!(
    /// Changes a counter.
    INCR = "now.lua", "put.lua", "shard.lua", "waiters.lua", "incr.lua"
);

impl Counters for Redis {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        let arguments = vec![
            header(number()).into(),
            by.into(),
            initial.into(),
            millis(ttl).into(),
        ];
        let request = self.told(&INCR, name, arguments);
        given(async move { counted(self.asked(request?).await?) })
    }
}

fn counted(answer: Value) -> Result<i64, Failure> {
    let Value::Array(parts) = answer else {
        return Err(unexpected("a counter"));
    };
    match parts.as_slice() {
        [Value::Int(0), Value::BulkString(text)] => {
            let number = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok());
            number.ok_or_else(|| unexpected("a counter"))
        }
        [Value::Int(1)] => Err(Failure::new(
            FailureKind::Permanent,
            "what is under the name is no counter",
            "count under a name of its own",
        )),
        [Value::Int(2)] => Err(Failure::new(
            FailureKind::Capacity,
            "a counter would leave 64 bits",
            "count less, or set it anew",
        )),
        _ => Err(unexpected("a counter")),
    }
}
