//! What the servers say of themselves, all of them asked at once.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::health::Report;
use everwarm_core::store::{Answer, Failure, Health};
use futures_util::future::{join, join_all};
use redis::{Pipeline, cmd};

use crate::advice::{Looked, Settings, report};
use crate::config::Place;
use crate::info::{Info, setting};
use crate::keys::{Shard, channel, probed};
use crate::map::Map;
use crate::node::Node;
use crate::refused::refused;
use crate::store::Redis;
use crate::told::WAKES_NOBODY;

/// Settings that are asked for.
const ASKED: [&str; 2] = ["save", "appendonly"];
/// Does all that the store does, on a key that nobody reads.
const PROBE: &str = include_str!("../scripts/probe.lua");
/// A namespace where this process has asked for nothing yet.
const NOWHERE: &str = "!";

impl Redis {
    async fn look_at(
        &self,
        (map, node): (&Map, &Arc<Node>),
        is_full: bool,
    ) -> Result<Looked, Failure> {
        let place = &self.link.config().place;
        let is_cluster = matches!(place, Place::Cluster(_));
        let known = node.run();
        let mut question = question(is_cluster, is_full);
        let fixed = question.len();
        if let Some(shard) = self.probed_at(map, node) {
            self.add_probe(&shard, &mut question);
        }
        let (said, fresh) = join(self.link.ask_node(node, &question), async {
            match is_full {
                true => node.fresh_run().await,
                false => None,
            }
        })
        .await;
        let mut said = said?;
        let tried = said.split_off(fixed.min(said.len()));
        let mut said = said.into_iter();
        let info = said.next().as_ref().and_then(Info::read);
        let cluster = said.next().filter(|_| is_cluster);
        let cluster = cluster.as_ref().and_then(Info::read);
        let settings: Vec<Option<String>> = said.map(|told| setting(&told)).collect();
        let settings = match settings.as_slice() {
            [save, appendonly] => Some(Settings {
                save: save.clone(),
                appendonly: appendonly.clone(),
                runs: known
                    .into_iter()
                    .chain(fresh)
                    .filter(|run| !run.is_empty())
                    .collect(),
            }),
            _ => None,
        };
        Ok(Looked {
            place: node.address.to_string(),
            info,
            cluster: cluster.and_then(|info| info.text("cluster_state").map(str::to_owned)),
            is_single: matches!(place, Place::Server(_)),
            settings,
            refused: tried.first().and_then(refused),
        })
    }

    /// A shard at this server where what the store does can be tried: of a namespace that this process asks for, so that a user who
    /// may do that and no more is asked for no more.
    fn probed_at(&self, map: &Map, node: &Arc<Node>) -> Option<Shard> {
        let is_here = |shard: &Shard| {
            let serves = map.node(shard.slot);
            serves.is_some_and(|serves| Arc::ptr_eq(serves, node))
        };
        let mut spaces = self.hearing().heard();
        spaces.push(NOWHERE.into());
        let shards = spaces.iter().flat_map(|space| self.hearing().shards(space));
        shards.into_iter().find(is_here)
    }

    fn add_probe(&self, shard: &Shard, question: &mut Pipeline) {
        let mut eval = cmd("EVAL");
        eval.arg(PROBE).arg(1).arg(probed(shard));
        eval.arg(channel(self.link.config().database, &shard.space));
        eval.arg(WAKES_NOBODY);
        question.add_command(eval);
    }

    async fn looked_over(&self, is_full: bool) -> Result<Report, Failure> {
        let map = self.link.map().await?;
        let looks = map.nodes.iter();
        let looks = looks.map(|node| self.look_at((&map, node), is_full));
        let looked: Result<Vec<Looked>, Failure> = join_all(looks).await.into_iter().collect();
        Ok(report(&looked?))
    }
}

/// What a server is asked: always as many questions, so that answers are known by their places.
fn question(is_cluster: bool, is_full: bool) -> Pipeline {
    let mut question = redis::pipe();
    question.cmd("INFO");
    if is_cluster {
        question.cmd("CLUSTER").arg("INFO");
    } else {
        question.cmd("PING");
    }
    if is_full {
        for name in ASKED {
            let mut get = cmd("CONFIG");
            get.arg("GET").arg(name);
            question.add_command(get);
        }
    }
    question
}

impl Health for Redis {
    fn deadline(&self) -> Option<Duration> {
        Some(self.link.config().timeout)
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::later(self.looked_over(is_full))
    }
}
