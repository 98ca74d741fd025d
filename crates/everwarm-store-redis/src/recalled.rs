//! Recalled readings: the stamps of the last reading of some tags. What is set by hand is sealed under them before they are asked for
//! again, in the trip that sets.

use std::time::{Duration, Instant};

use everwarm_core::mark::{Mark, Reading, Tag};
use parking_lot::RwLock;

/// How many are kept.
const KEPT: usize = 32;
/// Tags of the most that is kept.
const MOST_TAGS: usize = 64;
/// How long one counts: markers are given a quarter more of life than was asked for, and an hour at least.
const COUNTS_FOR: Duration = Duration::from_secs(600);
/// Of what markers were asked to live, the part for which one counts at most.
const PART: u32 = 8;

/// A reading that was begun with.
struct Begun {
    namespace: Box<str>,
    tags: Vec<Tag>,
    keep: Option<Duration>,
    at: Instant,
    stamps: Vec<Mark>,
}

/// The readings that were begun with last. Nobody waits for a lock of theirs, which a thread may have held when the process was forked.
#[derive(Default)]
pub(crate) struct Recalled([RwLock<Option<Begun>>; KEPT]);

impl Recalled {
    fn place(&self, tags: &[Tag]) -> &RwLock<Option<Begun>> {
        // Tags are digests.
        let spread = tags.iter().fold(0, |all, tag| all ^ usize::from(tag.0[0]));
        &self.0[spread % KEPT]
    }

    /// Takes note of the reading with which something began now.
    pub(crate) fn note(
        &self,
        (namespace, tags): (&str, &[Tag]),
        keep: Option<Duration>,
        reading: &Reading,
    ) {
        if tags.len() > MOST_TAGS {
            return;
        }
        let begun = Begun {
            namespace: namespace.into(),
            tags: sorted(tags),
            keep,
            at: Instant::now(),
            stamps: reading.shards.clone(),
        };
        if let Some(mut place) = self.place(tags).try_write() {
            *place = Some(begun);
        }
    }

    /// The stamps of the last reading of these tags, if their markers live as long as this.
    pub(crate) fn stamps(
        &self,
        (namespace, tags): (&str, &[Tag]),
        keep: Option<Duration>,
    ) -> Option<Vec<Mark>> {
        let place = self.place(tags).try_read()?;
        let begun = place.as_ref()?;
        let is_of = *begun.namespace == *namespace
            && begun.tags.len() == tags.len()
            && begun.tags == sorted(tags);
        let counts_for = begun
            .keep
            .map_or(COUNTS_FOR, |keep| COUNTS_FOR.min(keep / PART));
        let counts = begun.keep == keep && begun.at.elapsed() < counts_for;
        (is_of && counts).then(|| begun.stamps.clone())
    }
}

fn sorted(tags: &[Tag]) -> Vec<Tag> {
    let mut tags = tags.to_vec();
    tags.sort_unstable();
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    fn reading() -> Reading {
        Reading {
            shards: vec![Mark {
                shard: 0,
                epoch: 9,
                number: 7,
            }],
            markers: Vec::new(),
        }
    }

    #[test]
    fn what_was_begun_with_is_recalled_and_nothing_else() {
        let (recalled, tags) = (Recalled::default(), [Tag([1; 16]), Tag([2; 16])]);
        assert_eq!(recalled.stamps(("shop", &tags), HOUR), None);
        recalled.note(("shop", &tags), HOUR, &reading());
        let turned = [tags[1], tags[0]];
        for tags in [&tags, &turned] {
            assert_eq!(
                recalled.stamps(("shop", tags), HOUR),
                Some(reading().shards)
            );
        }
        assert_eq!(recalled.stamps(("other", &tags), HOUR), None);
        assert_eq!(recalled.stamps(("shop", &tags[..1]), HOUR), None);
        assert_eq!(recalled.stamps(("shop", &tags), None), None);
        let brief = Some(Duration::from_nanos(8));
        recalled.note(("shop", &tags), brief, &reading());
        assert_eq!(recalled.stamps(("shop", &tags), brief), None, "markers end");
    }

    #[test]
    fn nobody_waits_for_a_lock() {
        let (recalled, tags) = (Recalled::default(), [Tag([1; 16])]);
        let _held: Vec<_> = recalled.0.iter().map(RwLock::write).collect();
        recalled.note(("shop", &tags), None, &reading());
        assert_eq!(recalled.stamps(("shop", &tags), None), None);
    }
}
