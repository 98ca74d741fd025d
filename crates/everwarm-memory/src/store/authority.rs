//! The generations of a memory store: one shard, which is never lost while the store is there.

use std::collections::HashMap;

use everwarm_core::clock::Instant;
use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Found, Generations, Message, Settled};

use super::{MemoryStore, Write};

/// The counter, and the markers of tags by namespace.
pub(super) struct Authority {
    now: Mark,
    markers: HashMap<Box<str>, HashMap<Tag, Marker>>,
}

/// A marker, and until when it is kept.
struct Marker {
    mark: Mark,
    until: Instant,
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

    fn marker(&self, namespace: &str, tag: &Tag) -> Option<Mark> {
        Some(self.markers.get(namespace)?.get(tag)?.mark)
    }

    /// The markers of tags, made where there are none, and kept at least `until` then.
    fn named(&mut self, namespace: &str, tags: &[Tag], until: Instant) -> Vec<Option<Mark>> {
        let now = self.now;
        let markers = self.of(namespace);
        let marks = tags.iter().map(|&tag| {
            let marker = markers.entry(tag).or_insert(Marker { mark: now, until });
            marker.until = marker.until.max(until);
            Some(marker.mark)
        });
        marks.collect()
    }

    fn of(&mut self, namespace: &str) -> &mut HashMap<Tag, Marker> {
        if !self.markers.contains_key(namespace) {
            self.markers.insert(namespace.into(), HashMap::new());
        }
        self.markers.get_mut(namespace).expect("it was just put in")
    }

    /// The next number, as the marker of these tags. One that nobody named before need not be kept: no entry carries it.
    fn invalidate(&mut self, namespace: &str, tags: &[Tag]) {
        self.now.number += 1;
        let now = self.now;
        let markers = self.of(namespace);
        for &tag in tags {
            let marker = Marker {
                mark: now,
                until: Instant::ZERO,
            };
            markers.entry(tag).or_insert(marker).mark = now;
        }
    }

    fn reading(&self, namespace: &str, tags: &[Tag]) -> Reading {
        Reading {
            shards: vec![self.now],
            markers: tags.iter().map(|tag| self.marker(namespace, tag)).collect(),
        }
    }

    /// Lets markers go that no entry needs any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        for markers in self.markers.values_mut() {
            markers.retain(|_, marker| marker.until > now);
        }
        self.markers.retain(|_, markers| !markers.is_empty());
    }
}

impl Generations for MemoryStore {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<std::time::Duration>,
    ) -> Answer<'a, Reading> {
        self.at_once(|place| {
            let until = place.until(place.clock.now(), keep);
            let mut authority = place.authority.lock();
            let markers = authority.named(namespace, tags, until);
            Ok(Reading {
                shards: vec![authority.now],
                markers,
            })
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.at_once(|place| Ok(place.authority.lock().reading(namespace, tags)))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        self.at_once(|place| {
            let authority = place.authority.lock();
            Ok((place.get(name), authority.reading(namespace, tags)))
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        self.at_once(|place| {
            let mut authority = place.authority.lock();
            authority.invalidate(namespace, tags);
            let reading = authority.reading(namespace, tags);
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

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        self.at_once(|place| {
            let (name, now) = (computed.name, place.clock.now());
            let (hash, until) = (place.hash(name), place.until(now, computed.ttl));
            let mut authority = place.authority.lock();
            let markers = authority.named(computed.namespace, computed.tags, until);
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
