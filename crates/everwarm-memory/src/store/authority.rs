//! The generations of a memory store: one shard, which is never lost while the store is there.

use std::collections::HashMap;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Found, Generations, Message, Settled, Suspend};

use super::{MemoryStore, Place, Write};

/// The counter, and the markers of tags by namespace.
pub(super) struct Authority {
    now: Mark,
    markers: HashMap<Box<str>, HashMap<Tag, Marker>>,
}

/// A marker, and until when it is kept.
struct Marker {
    mark: Mark,
    until: Instant,
    suspended: Option<Suspended>,
}

/// Until when a tag is suspended, and by how many.
#[derive(Clone, Copy)]
struct Suspended {
    until: Instant,
    by: u64,
}

/// What an invalidation is besides.
#[derive(Clone, Copy)]
enum Besides {
    /// No more than that: who suspended the tag goes on.
    Nothing,
    /// It suspends the tag until this time.
    Suspends(Instant),
    /// It ends what one has suspended.
    Resumes,
}

impl Marker {
    /// What it reads as: the number after the counter's while its tag is suspended, none from then on until it is given its own.
    fn reads(&self, counter: Mark, now: Instant) -> Option<Mark> {
        match self.suspended {
            None => Some(self.mark),
            Some(suspended) => (suspended.until > now).then_some(Mark {
                number: counter.number + 1,
                ..counter
            }),
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.suspended
            .is_some_and(|suspended| suspended.until <= now)
    }

    fn struck(&mut self, now: Instant, besides: Besides) {
        let there = self.suspended.filter(|there| there.until > now);
        self.suspended = match besides {
            Besides::Nothing => there,
            Besides::Suspends(until) => Some(Suspended {
                until: until.max(there.map_or(until, |there| there.until)),
                by: there.map_or(1, |there| there.by + 1),
            }),
            Besides::Resumes => there.and_then(|there| {
                let by = there.by - 1;
                (by > 0).then_some(Suspended { by, ..there })
            }),
        };
    }
}

impl Authority {
    pub(super) fn new(epoch: u64) -> Self {
        let now = Mark {
            shard: 0,
            epoch,
            number: 0,
        };
        Self {
            now,
            markers: HashMap::new(),
        }
    }

    /// The markers of tags, made where there are none, and kept at least `until` then.
    fn named(
        &mut self,
        namespace: &str,
        tags: &[Tag],
        (now, until): (Instant, Instant),
    ) -> Vec<Option<Mark>> {
        let mut counter = self.now;
        let markers = self.of(namespace);
        let mut reads = Vec::with_capacity(tags.len());
        for &tag in tags {
            let marker = markers.entry(tag).or_insert(Marker {
                mark: counter,
                until,
                suspended: None,
            });
            marker.until = marker.until.max(until);
            if marker.is_over(now) {
                // What began while it was suspended stays out.
                counter.number += 1;
                marker.mark = counter;
                marker.suspended = None;
            }
            reads.push(marker.reads(counter, now));
        }
        self.now = counter;
        reads
    }

    fn of(&mut self, namespace: &str) -> &mut HashMap<Tag, Marker> {
        if !self.markers.contains_key(namespace) {
            self.markers.insert(namespace.into(), HashMap::new());
        }
        self.markers.get_mut(namespace).expect("it was just put in")
    }

    /// The next number, as the marker of these tags. One that nobody named before need not be kept: no entry carries it.
    fn strike(&mut self, (namespace, tags): (&str, &[Tag]), now: Instant, besides: Besides) {
        self.now.number += 1;
        let counter = self.now;
        let markers = self.of(namespace);
        for &tag in tags {
            let marker = markers.entry(tag).or_insert(Marker {
                mark: counter,
                until: Instant::ZERO,
                suspended: None,
            });
            marker.mark = counter;
            marker.struck(now, besides);
        }
    }

    fn reading(&self, namespace: &str, tags: &[Tag], now: Instant) -> Reading {
        let markers = self.markers.get(namespace);
        let read = |tag: &Tag| markers?.get(tag)?.reads(self.now, now);
        Reading {
            shards: vec![self.now],
            markers: tags.iter().map(read).collect(),
        }
    }

    /// Lets markers go that no entry needs any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        let all = self.markers.values().flat_map(HashMap::values);
        if all.into_iter().any(|marker| marker.is_over(now)) {
            // Who finds no marker is given the counter's number: it has to be later than what began under the suspension.
            self.now.number += 1;
        }
        let counter = self.now;
        for markers in self.markers.values_mut() {
            for marker in markers.values_mut().filter(|marker| marker.is_over(now)) {
                marker.mark = counter;
                marker.suspended = None;
            }
            markers.retain(|_, marker| marker.until > now || marker.suspended.is_some());
        }
        self.markers.retain(|_, markers| !markers.is_empty());
    }
}

impl MemoryStore {
    /// Invalidates tags, and tells others of it.
    fn strike(
        &self,
        namespace: &str,
        tags: &[Tag],
        besides: impl FnOnce(&Place, Instant) -> Besides,
    ) -> Answer<'_, Reading> {
        self.at_once(|place| {
            let now = place.clock.now();
            let mut authority = place.authority.lock();
            authority.strike((namespace, tags), now, besides(place, now));
            let reading = authority.reading(namespace, tags, now);
            for (&tag, marker) in tags.iter().zip(&reading.markers) {
                self.tell(|| Message::Tag {
                    namespace: namespace.into(),
                    tag,
                    marker: marker.unwrap_or(authority.now),
                });
            }
            Ok(reading)
        })
    }
}

impl Suspend for MemoryStore {
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading> {
        self.strike(namespace, tags, |place, now| {
            Besides::Suspends(place.until(now, Some(span)))
        })
    }

    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.strike(namespace, tags, |_, _| Besides::Resumes)
    }
}

impl Generations for MemoryStore {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        self.at_once(|place| {
            let now = place.clock.now();
            let until = place.until(now, keep);
            let mut authority = place.authority.lock();
            let markers = authority.named(namespace, tags, (now, until));
            Ok(Reading {
                shards: vec![authority.now],
                markers,
            })
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.at_once(|place| {
            let now = place.clock.now();
            Ok(place.authority.lock().reading(namespace, tags, now))
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        self.at_once(|place| {
            let authority = place.authority.lock();
            let now = place.clock.now();
            Ok((place.get(name), authority.reading(namespace, tags, now)))
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.strike(namespace, tags, |_, _| Besides::Nothing)
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        self.at_once(|place| {
            let (name, now) = (computed.name, place.clock.now());
            let (hash, until) = (place.hash(name), place.until(now, computed.ttl));
            let mut authority = place.authority.lock();
            let markers = authority.named(computed.namespace, computed.tags, (now, until));
            if !valid(computed.stamps, markers) {
                return Ok(Settled::Overtaken);
            }
            let mut stripe = place.stripe(hash);
            if let Some(token) = computed.token {
                if !stripe.is_held(name, token, now) {
                    return Ok(Settled::Lost);
                }
                stripe.leases.remove(name);
            }
            let bytes = computed.bytes;
            let (_, departed) = place.put(hash, Write { name, bytes, until }, now)?;
            drop((stripe, authority));
            drop(departed);
            Ok(Settled::Stored)
        })
    }
}
