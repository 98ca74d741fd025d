//! Overtaken computations: what began before an invalidation is not stored, so its lease keeps nobody waiting.
//!
//! A seat says what it is about before its stamps are asked for, so that an invalidation that comes between the two meets it as well.
//! Only what began before is overtaken: an invalidation that is heard of late leaves alone who began after it.

use everwarm_core::mark::{Mark, Reading, Tag};

use super::Stack;
use super::place::Digests;

/// How many leases are given back before an invalidation returns; the others are left to the next look.
const AT_ONCE: usize = 64;

/// What a computation is about, by which an invalidation knows it.
#[derive(Debug)]
pub(super) struct Basis {
    tags: Digests,
    since: Since,
}

#[derive(Debug)]
enum Since {
    /// The stamps are not there yet; these invalidations came meanwhile.
    Asked(Vec<Mark>),
    /// It began with these.
    Stamps(Vec<Mark>),
}

impl Basis {
    /// Of what is about to begin.
    pub(super) const fn new(tags: Digests) -> Self {
        Self {
            tags,
            since: Since::Asked(Vec::new()),
        }
    }

    /// It begins with these stamps; whether it is overtaken already.
    pub(super) fn begins(&mut self, stamps: &[Mark]) -> bool {
        let since = std::mem::replace(&mut self.since, Since::Stamps(stamps.to_vec()));
        match since {
            Since::Asked(struck) => struck.iter().any(|marker| !covered(stamps, *marker)),
            Since::Stamps(_) => false,
        }
    }

    /// Whether these invalidations overtook it.
    pub(super) fn meets(&mut self, struck: &[(Tag, Mark)]) -> bool {
        let tags = self.tags.all();
        let mut mine = struck.iter().filter(|(tag, _)| tags.contains(tag));
        match &mut self.since {
            Since::Asked(met) => {
                met.extend(mine.map(|(_, marker)| *marker));
                false
            }
            Since::Stamps(stamps) => mine.any(|(_, marker)| !covered(stamps, *marker)),
        }
    }
}

fn covered(stamps: &[Mark], marker: Mark) -> bool {
    stamps.iter().any(|stamp| stamp.covers(marker))
}

/// The invalidations that a reading tells of. A tag that is suspended reads as a number that its shard has not come to: who begins
/// meanwhile is not overtaken by that.
pub(super) fn struck(tags: &[Tag], reading: &Reading) -> Vec<(Tag, Mark)> {
    let marked = tags.iter().zip(&reading.markers);
    let marked = marked.filter_map(|(tag, marker)| Some((*tag, (*marker)?)));
    let reached = |marker: Mark| {
        let mut shards = reading.shards.iter();
        let shard = shards.find(|at| at.shard == marker.shard && at.epoch == marker.epoch);
        Mark {
            number: shard.map_or(marker.number, |at| at.number.min(marker.number)),
            ..marker
        }
    };
    marked.map(|(tag, marker)| (tag, reached(marker))).collect()
}

impl Stack {
    /// Takes the right to store from what these invalidations overtook, and gives its leases back: whoever asks from here on computes
    /// anew, and waits for nobody.
    pub(super) async fn overtake(&self, struck: &[(Tag, Mark)]) {
        let mut leases = self.seats.overtake(struck);
        for (name, lease) in leases.split_off(leases.len().min(AT_ONCE)) {
            self.give_back(&name, lease);
        }
        if !leases.is_empty() {
            self.give_back_now(leases).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: [Tag; 2] = [Tag([1; 16]), Tag([2; 16])];
    const OTHER: Tag = Tag([3; 16]);

    fn at(number: u64) -> Mark {
        Mark {
            shard: 0,
            epoch: 9,
            number,
        }
    }

    fn basis() -> Basis {
        Basis::new(Digests::new(TAGS[0], TAGS[1]))
    }

    #[test]
    fn only_what_began_before_is_overtaken() {
        let mut basis = basis();
        assert!(!basis.begins(&[at(4)]));
        assert!(!basis.meets(&[(OTHER, at(9)), (TAGS[0], at(4))]));
        assert!(basis.meets(&[(OTHER, at(5)), (TAGS[1], at(5))]));
        let other_epoch = Mark { epoch: 8, ..at(1) };
        assert!(basis.meets(&[(TAGS[0], other_epoch)]));
    }

    #[test]
    fn what_came_while_the_stamps_were_asked_for_counts_too() {
        for (stamp, is_overtaken) in [(4, true), (5, false)] {
            let mut basis = basis();
            assert!(!basis.meets(&[(TAGS[1], at(5)), (OTHER, at(6))]));
            assert_eq!(basis.begins(&[at(stamp)]), is_overtaken);
        }
    }

    #[test]
    fn a_suspended_tag_overtakes_up_to_where_its_shard_is() {
        let reading = Reading {
            shards: vec![at(4)],
            markers: vec![Some(at(5)), None],
        };
        assert_eq!(struck(&TAGS, &reading), [(TAGS[0], at(4))]);
    }
}
