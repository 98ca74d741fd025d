//! Writes that depend on what is there.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional};

use crate::script::{Argument, script};
use crate::store::{Redis, given};

script!(
    /// Sets an entry if a condition holds.
    SET_IF = "now.lua", "put.lua", "shard.lua", "waiters.lua", "set_if.lua"
);
script!(
    /// Deletes an entry of one write.
    DELETE_IF = "shard.lua", "waiters.lua", "delete_if.lua"
);

/// The number of a write, as it stands in the header.
fn written(version: u64) -> Argument {
    Bytes::copy_from_slice(&version.to_be_bytes()).into()
}

impl Conditional for Redis {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        let condition = match condition {
            Condition::Absent => "absent".into(),
            Condition::Present => "present".into(),
            Condition::Version(version) => written(version),
        };
        given(async move {
            let (mut arguments, version) = self.written(bytes, ttl)?;
            arguments.push(condition);
            let request = self.told(&SET_IF, name, arguments);
            let held = self.number(request).await? == 1;
            Ok(held.then_some(version))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        let request = self.told(&DELETE_IF, name, vec![written(version)]);
        given(async move { Ok(self.number(request).await? == 1) })
    }
}
