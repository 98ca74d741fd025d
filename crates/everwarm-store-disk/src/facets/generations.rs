//! The authority of a stack: one shard for all, whose epoch is the life of the store and whose counter is in its head.
//!
//! Readers take no lock. They read the counter before the markers: what comes between makes a marker newer than its stamp, and so at
//! worst a miss. With an entry they read the counter first of all, since the head says more: whether the index is as this process left
//! it. An invalidation that ends after that ends while they read.

use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled};
use twox_hash::XxHash3_64;

use super::leases::held;
use super::suspend::{Besides, Suspended, place};
use crate::apply::Change;
use crate::error::Step;
use crate::files::{Files, Look};
use crate::head::Head;
use crate::index::{Slot, Use};
use crate::record::{Header, Kind};
use crate::store::Disk;
use crate::writing::Writing;

/// The shard that all tags lie in.
const SHARD: u16 = 0;
/// The marker of a tag that nobody asked for since: its entries are misses anyhow.
const SHORTEST: Duration = Duration::from_secs(3600);

impl Generations for Disk {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::Now(self.begin_now(namespace, tags, keep))
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::Now(self.reading(namespace, tags, 1))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        let found = self.files().and_then(|files| {
            let head = files.read_head().ok().filter(|head| files.follows(head));
            let entry = match &head {
                Some(head) => files.get_after(head, name)?,
                None => files.get(name)?,
            };
            // The time was just read for the entry.
            let needed = files.time.latest().saturating_add(1);
            let same = head.and_then(|head| files.same_markers(&head, (namespace, tags), needed));
            let reading = same.map_or_else(|| self.reading(namespace, tags, 1), Ok)?;
            Ok((entry, reading))
        });
        Answer::Now(found)
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::Now(self.struck(namespace, |writing| {
            strike(writing, (namespace, tags), Besides::Nothing)
        }))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        let (put, is_told) = ((computed.name, &computed.bytes, computed.ttl), false);
        let put = self.put_if(put, is_told, |writing| allowed(writing, &computed));
        Answer::Now(put.map(|put| put.map_or_else(|refusal| refusal, |_| Settled::Stored)))
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        let put = |computed: &'a Computed<'a>| (computed.name, &computed.bytes, computed.ttl);
        let all = self.put_all_if(computed, put, allowed);
        let settled =
            |put: Result<(), Settled>| put.map_or_else(|refusal| refusal, |()| Settled::Stored);
        Answer::Now(all.map(|all| all.into_iter().map(settled).collect()))
    }

    fn recall(&self, namespace: &str, tags: &[Tag], keep: Option<Duration>) -> Option<Vec<Mark>> {
        let files = self.files().ok()?;
        let needed = keep.map_or(u64::MAX, |keep| deadline(files.now(), keep));
        let (life, counter) = files.markers.counter((namespace, tags), needed)?;
        Some(vec![mark(life, counter)])
    }

    fn set_under<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        let (put, is_told) = ((computed.name, &computed.bytes, computed.ttl), true);
        let put = self.put_if(put, is_told, |writing| {
            let now = mark(writing.head.life, writing.head.number);
            let is_now = computed.stamps.iter().all(|stamp| *stamp == now);
            Ok(if is_now {
                Ok(())
            } else {
                Err(Settled::Overtaken)
            })
        });
        Answer::Now(put.map(|put| put.map_or_else(|refusal| refusal, |_| Settled::Stored)))
    }
}

/// Whether what was computed may be stored in this step.
fn allowed(writing: &mut Writing<'_>, computed: &Computed<'_>) -> Step<Result<(), Settled>> {
    if let Some(token) = computed.token
        && held(writing, computed.name, token)?.is_none()
    {
        return Ok(Err(Settled::Lost));
    }
    let reading = writing.marked(computed.namespace, computed.tags, computed.ttl)?;
    let is_valid = valid(computed.stamps, reading.markers);
    Ok(if is_valid {
        Ok(())
    } else {
        Err(Settled::Overtaken)
    })
}

impl Disk {
    /// Runs an invalidation.
    pub(super) fn struck(
        &self,
        namespace: &str,
        step: impl FnMut(&mut Writing<'_>) -> Step<Reading>,
    ) -> Result<Reading, Failure> {
        self.check(namespace, 0)
            .and_then(|()| self.files()?.write_surely(step))
    }

    fn begin_now(
        &self,
        namespace: &str,
        tags: &[Tag],
        keep: Option<Duration>,
    ) -> Result<Reading, Failure> {
        let files = self.files()?;
        let needed = keep.map_or(u64::MAX, |keep| deadline(files.now(), keep));
        let reading = self.reading(namespace, tags, needed)?;
        if !files.is_writable || reading.markers.iter().all(Option::is_some) {
            return Ok(reading);
        }
        self.write(|writing| {
            let reading = writing.marked(namespace, tags, keep)?;
            writing.commit_changes()?;
            Ok(reading)
        })
    }

    /// The readings as they are; of the markers those that last beyond now and until `needed` at least.
    fn reading(&self, namespace: &str, tags: &[Tag], needed: u64) -> Result<Reading, Failure> {
        let files = self.files()?;
        let read = files.look(|_, now| {
            let head = files.read_head()?;
            let index = files.follow(&head)?;
            // What ends now has ended.
            let needed = needed.max(now.saturating_add(1));
            let shards = vec![mark(head.life, head.number)];
            let (mut markers, mut deadline) = (Vec::with_capacity(tags.len()), u64::MAX);
            // What a suspended tag reads as changes with the time.
            let mut lasts = true;
            for tag in tags {
                let hash = marker_hash(head.life, namespace, tag);
                match files.markers.read((&head, &index), hash, needed)? {
                    Look::There(marker) => {
                        deadline = deadline.min(marker.deadline);
                        lasts &= Suspended::read(marker.number).is_none();
                        let number = number_of(marker.number, head.number, now);
                        markers.push(number.map(|number| mark(head.life, number)));
                    }
                    Look::Absent => markers.push(None),
                    Look::Unclear => return Ok(Look::Unclear),
                }
            }
            if lasts && markers.iter().all(Option::is_some) {
                files
                    .markers
                    .note(&head, (namespace, tags), &markers, deadline);
            }
            Ok(Look::There(Reading { shards, markers }))
        })?;
        Ok(read.unwrap_or_default())
    }
}

impl Files {
    /// The reading of these tags, if no tag was invalidated since the last one, and that was of these: what most reads find.
    fn same_markers(
        &self,
        head: &Head,
        (namespace, tags): (&str, &[Tag]),
        needed: u64,
    ) -> Option<Reading> {
        let markers = self.markers.again(head, (namespace, tags), needed)?;
        Some(Reading {
            shards: vec![mark(head.life, head.number)],
            markers,
        })
    }
}

impl Writing<'_> {
    /// The reading after every tag has a marker that lasts for `keep`: one that was not there is the shard's reading now.
    fn marked(&mut self, namespace: &str, tags: &[Tag], keep: Option<Duration>) -> Step<Reading> {
        self.room(namespace.len(), 0, 0)?;
        let needed = self.deadline(keep);
        // Longer than asked for, so that it is seldom written again.
        let lasting = keep.map_or(u64::MAX, |keep| {
            deadline(self.now, keep.saturating_add(keep / 4).max(SHORTEST))
        });
        let mut markers = Vec::with_capacity(tags.len());
        for tag in tags {
            let hash = marker_hash(self.head.life, namespace, tag);
            self.settle(hash)?;
            let slot = match self.probe(hash)?.marker {
                Some((_, slot)) if slot.deadline > self.now => {
                    if slot.deadline < needed {
                        let slot = Slot {
                            deadline: lasting,
                            ..slot
                        };
                        self.change(Change::Put {
                            slot,
                            ends_lease: false,
                        });
                    }
                    match Suspended::read(slot.place) {
                        Some(suspended) if suspended.is_over(self.now) => {
                            self.head.number += 1;
                            let slot = Slot {
                                place: self.head.number,
                                deadline: slot.deadline.max(needed),
                                ..slot
                            };
                            self.change(Change::Put {
                                slot,
                                ends_lease: false,
                            });
                            slot
                        }
                        _ => slot,
                    }
                }
                old => {
                    self.head.slots += u64::from(old.is_none());
                    let slot = marker(hash, self.head.number, lasting);
                    self.change(Change::Put {
                        slot,
                        ends_lease: false,
                    });
                    slot
                }
            };
            let number = number_of(slot.place, self.head.number, self.now);
            markers.push(number.map(|number| mark(self.head.life, number)));
        }
        let shards = vec![mark(self.head.life, self.head.number)];
        Ok(Reading { shards, markers })
    }
}

/// Invalidates tags: each gets the next number, and a record that others are told of. Where that is not all that its slot says,
/// another record says the rest.
pub(super) fn strike(
    writing: &mut Writing<'_>,
    (namespace, tags): (&str, &[Tag]),
    besides: Besides,
) -> Step<Reading> {
    writing.room((namespace.len() + 128) * 2 * tags.len(), 0, 0)?;
    let mut places = Vec::with_capacity(tags.len());
    for tag in tags {
        let hash = marker_hash(writing.head.life, namespace, tag);
        writing.settle(hash)?;
        let old = writing.probe(hash)?.marker;
        writing.head.slots += u64::from(old.is_none());
        writing.head.number += 1;
        let number = writing.head.number;
        let least = deadline(writing.now, SHORTEST);
        let lasting = old.map_or(least, |(_, old)| old.deadline.max(least));
        let place = place(old.map(|(_, old)| old.place), number, writing.now, besides);
        let mut header = Header::is(Kind::Invalidate, writing.files.writer);
        header.deadline = lasting;
        for (said, is_told) in [(number, true), (place, false)] {
            if is_told || place != number {
                header.is_told = is_told;
                let value = [tag.0.as_slice(), &said.to_le_bytes()].concat();
                writing.append(header, namespace, &value)?;
            }
        }
        let slot = marker(hash, place, lasting);
        writing.change(Change::Put {
            slot,
            ends_lease: false,
        });
        places.push(place);
    }
    writing.commit()?;
    let (life, counter) = (writing.head.life, writing.head.number);
    let markers = places.into_iter().map(|place| {
        let number = number_of(place, counter, writing.now);
        number.map(|number| mark(life, number))
    });
    Ok(Reading {
        shards: vec![mark(life, counter)],
        markers: markers.collect(),
    })
}

/// The number that a marker reads as: none where the tag was suspended and nobody gave it a number since.
fn number_of(place: u64, counter: u64, now: u64) -> Option<u64> {
    match Suspended::read(place) {
        None => Some(place),
        Some(suspended) => (!suspended.is_over(now)).then_some(counter + 1),
    }
}

/// What the record of an invalidation changes in the index.
pub(crate) fn change_of(life: u64, namespace: &str, value: &[u8], deadline: u64) -> Option<Change> {
    let (tag, number) = tag_and_number(value)?;
    let slot = marker(marker_hash(life, namespace, &tag), number, deadline);
    Some(Change::Put {
        slot,
        ends_lease: false,
    })
}

/// What the record of an invalidation says.
pub(super) fn tag_and_number(value: &[u8]) -> Option<(Tag, u64)> {
    let (tag, number) = value.split_first_chunk::<16>()?;
    Some((Tag(*tag), u64::from_le_bytes(number.try_into().ok()?)))
}

pub(super) const fn mark(life: u64, number: u64) -> Mark {
    Mark {
        shard: SHARD,
        epoch: life,
        number,
    }
}

const fn marker(hash: u64, number: u64, deadline: u64) -> Slot {
    Slot {
        is: Use::Marker,
        hash,
        place: number,
        deadline,
        length: 0,
        is_large: false,
        is_seen: false,
    }
}

/// Two tags with the same hash share a marker: what invalidates one invalidates both.
fn marker_hash(life: u64, namespace: &str, tag: &Tag) -> u64 {
    let seed = XxHash3_64::oneshot_with_seed(!life, namespace.as_bytes());
    XxHash3_64::oneshot_with_seed(seed, &tag.0)
}

fn deadline(now: u64, keep: Duration) -> u64 {
    now.saturating_add(u64::try_from(keep.as_nanos()).unwrap_or(u64::MAX))
}
