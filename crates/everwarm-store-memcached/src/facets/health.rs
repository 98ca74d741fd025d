//! What the servers say of themselves, all of them asked at once.

use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::store::{Answer, Failure, Health};
use futures_util::future::try_join_all;

use crate::error::unexpected;
use crate::node::Node;
use crate::replies::{Reply, Said};
use crate::store::{Memcached, given};

/// From which part of all connections on it is said that they run out.
const CROWDED: f64 = 0.9;

/// What a server says, by name.
struct Statistics(Vec<(String, String)>);

impl Statistics {
    fn read(reply: Reply) -> Result<Self, Failure> {
        match reply.said {
            Said::Statistics(all) => Ok(Self(all)),
            _ => Err(reply.unexpected("stats")),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, text)| text.as_str())
    }

    fn count(&self, name: &str) -> u64 {
        let text = self.text(name);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// A server, what it says, and how it is set up if that was asked.
struct Looked<'a> {
    node: &'a Node,
    statistics: Statistics,
    settings: Option<Statistics>,
}

impl Memcached {
    async fn looked_over(&self, is_full: bool) -> Result<Report, Failure> {
        let looks = self.link.nodes()?.iter().map(|node| look(node, is_full));
        let looked = try_join_all(looks).await?;
        Ok(self.report(&looked))
    }

    fn report(&self, looked: &[Looked<'_>]) -> Report {
        let total = |name: &str| {
            looked
                .iter()
                .map(|one| one.statistics.count(name))
                .sum::<u64>()
        };
        let mut versions: Vec<&str> = looked
            .iter()
            .filter_map(|one| one.statistics.text("version"))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        let facts = vec![
            ("servers", (looked.len() as u64).into()),
            ("version", versions.join(", ").into()),
            ("entries", total("curr_items").into()),
            ("used_bytes", total("bytes").into()),
            ("max_bytes", total("limit_maxbytes").into()),
            ("evictions", total("evictions").into()),
            ("connections", total("curr_connections").into()),
            ("hits", total("get_hits").into()),
            ("misses", total("get_misses").into()),
        ];
        let remarks = looked.iter().flat_map(|one| self.remarks(one));
        // One of each kind is enough: the message names its server.
        let mut remarks: Vec<Remark> = remarks.collect();
        remarks.sort_by_key(|remark| (!remark.is_trouble, remark.about));
        remarks.dedup_by_key(|remark| remark.about);
        Report { facts, remarks }
    }

    fn remarks(&self, looked: &Looked<'_>) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let (server, said) = (&looked.node.dial.server, &looked.statistics);
        let (there, most) = (
            said.count("curr_connections"),
            said.count("max_connections"),
        );
        if most > 0 && there as f64 >= CROWDED * most as f64 {
            remarks.push(Remark::trouble(
                "connections",
                format!("{server} has {there} of {most} connections, and refuses more"),
                "raise -c of the server, or use fewer processes",
            ));
        }
        let Some(settings) = &looked.settings else {
            return remarks;
        };
        let size = settings.count("item_size_max");
        let ours = self.link.config().item_size;
        if size > 0 && size != ours {
            remarks.push(Remark::setting(
                "item_size",
                format!("{server} takes items of {size} bytes, and this store of {ours}"),
                "give item_size= what -I of the servers says",
            ));
        }
        if settings.text("evictions") == Some("off") {
            remarks.push(Remark::setting(
                "eviction",
                format!("{server} evicts nothing: once it is full, writes fail"),
                "start it without -M",
            ));
        }
        remarks
    }
}

async fn look(node: &Node, is_full: bool) -> Result<Looked<'_>, Failure> {
    let mut batch = crate::batch::Batch::default();
    batch.plain("stats");
    if is_full {
        batch.plain("stats settings");
    }
    let mut replies = node.exchange(batch, true).await?.into_iter();
    let statistics = replies.next().ok_or_else(|| unexpected("stats"))?;
    Ok(Looked {
        node,
        statistics: Statistics::read(statistics)?,
        settings: replies.next().map(Statistics::read).transpose()?,
    })
}

impl Health for Memcached {
    fn deadline(&self) -> Option<Duration> {
        Some(self.link.config().timeout)
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        given(self.looked_over(is_full))
    }
}
