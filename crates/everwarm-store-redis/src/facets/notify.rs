//! What others changed: messages over publish and subscribe, each sent in the very step that it tells of.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::bus::mac::Mac;
use everwarm_core::store::{Answer, Failure, Messages, Notify};

use crate::keys::{Kind, is_told, name_in, namespace_of};
use crate::request::Request;
use crate::script::script;
use crate::store::Redis;
use crate::told::of_clear;

script!(
    /// Tells of what was done in many steps.
    TELL = "shard.lua", "tell.lua"
);

impl Notify for Redis {
    fn change(&self) -> u64 {
        self.hearing().change()
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        Answer::done(self.hearing().messages(after))
    }

    fn silence(&self) -> Duration {
        self.hearing().silence()
    }

    fn failovers(&self) -> u64 {
        self.link.failovers().count()
    }

    fn authenticate(&self, mac: &Arc<dyn Mac>) {
        self.bus.trust.get_or_init(|| Arc::clone(mac));
    }

    fn way(&self) -> Option<&'static str> {
        Some(self.hearing().way().name())
    }

    fn refused(&self) -> u64 {
        self.hearing().teller.refused()
    }
}

impl Redis {
    /// Tells that all names with this prefix were cleared, in each namespace that they may be of.
    pub(super) async fn tell_cleared(&self, prefix: &str) -> Result<(), Failure> {
        let spaces = if prefix.contains(':') {
            vec![namespace_of(prefix).to_owned()]
        } else {
            self.spaces(prefix).await?
        };
        let spaces = spaces.iter().filter(|space| is_told(space));
        let tell = |space: &String| {
            let shard = self.layout.shard(space, 0);
            let mut arguments = self.opening(&shard).to_vec();
            let teller = &self.hearing().teller;
            arguments.push(teller.says(&shard, of_clear(prefix)).into());
            Request::script(shard.slot, &TELL, vec![shard.key], arguments)
        };
        let steps = spaces.map(tell).collect();
        self.numbers(Ok(steps)).await.map(drop)
    }

    /// The namespaces that begin so and that somebody may hear of.
    async fn spaces(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let mut spaces = Vec::new();
        for node in self.link.masters().await? {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, keys) = self.look(&node, &cursor, (prefix, Kind::Shard)).await?;
                let names = keys.iter().filter_map(|key| name_in(key, Kind::Shard));
                let names = names.filter(|name| name.starts_with(prefix));
                spaces.extend(names.map(|name| namespace_of(name).to_owned()));
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        spaces.sort_unstable();
        spaces.dedup();
        Ok(spaces)
    }
}
