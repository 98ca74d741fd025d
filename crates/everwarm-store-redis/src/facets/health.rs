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
use crate::node::Node;
use crate::store::Redis;

/// Settings that are asked for.
const ASKED: [&str; 2] = ["save", "appendonly"];

impl Redis {
    async fn look_at(&self, node: &Arc<Node>, is_full: bool) -> Result<Looked, Failure> {
        let place = &self.link.config().place;
        let is_cluster = matches!(place, Place::Cluster(_));
        let known = node.run();
        let (said, fresh) = join(
            self.link.ask_node(node, &question(is_cluster, is_full)),
            async {
                match is_full {
                    true => node.fresh_run().await,
                    false => None,
                }
            },
        )
        .await;
        let mut said = said?.into_iter();
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
        })
    }

    async fn looked_over(&self, is_full: bool) -> Result<Report, Failure> {
        let masters = self.link.masters().await?;
        let looks = masters.iter().map(|node| self.look_at(node, is_full));
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
