//! What a file store can do besides: counters, conditional writes, leases, names, ttls.

use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Condition, Conditional, Counters, Failure, FailureKind, Grant, Leases, Page,
    Scan, Touch,
};

use crate::files::{self, Kind};
use crate::head::Head;
use crate::names::{FileName, ROOMS};

use crate::store::FileStore;

impl Counters for FileStore {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let (mut head, number) = match room.live(name, Kind::Value, now)? {
                Some((head, bytes)) => (head, number(&bytes)?),
                None => (Head::new(name, 0, now, ttl), initial),
            };
            let number = number.checked_add(by).ok_or_else(|| {
                let hint = "delete it, and begin anew";
                Failure::new(
                    FailureKind::Permanent,
                    "a counter would leave 64 bits",
                    hint,
                )
            })?;
            head.version = self.version();
            self.put(&mut room, &head, number.to_string().as_bytes())?;
            drop(room);
            self.keep_within_bounds(name, 0);
            Ok(number)
        })
    }
}

/// The number that this is the text of.
fn number(bytes: &[u8]) -> Result<i64, Failure> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let hint = "count under a name of its own";
        Failure::new(
            FailureKind::Permanent,
            "what is counted up is no number",
            hint,
        )
    })
}

impl Conditional for FileStore {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let there = room
                .live(name, Kind::Value, now)?
                .map(|(head, _)| head.version);
            let holds = match condition {
                Condition::Absent => there.is_none(),
                Condition::Present => there.is_some(),
                Condition::Version(expected) => there == Some(expected),
            };
            if !holds {
                return Ok(None);
            }
            let head = Head::new(name, self.version(), now, ttl);
            self.put(&mut room, &head, &bytes)?;
            drop(room);
            self.keep_within_bounds(name, bytes.len());
            Ok(Some(head.version))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let there = room
                .live(name, Kind::Value, now)?
                .map(|(head, _)| head.version);
            if there != Some(version) {
                return Ok(false);
            }
            room.remove(name, Kind::Lease)?;
            room.remove(name, Kind::Value)
        })
    }
}

impl Leases for FileStore {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            if let Some((held, _)) = room.live(name, Kind::Lease, now)?
                && held.version != token
            {
                return Ok(Grant::Held(held.remaining(now).unwrap_or(Duration::MAX)));
            }
            let head = Head::new(name, token, now, Some(ttl));
            room.put(name, Kind::Lease, &head.file(b""), false)?;
            Ok(Grant::Granted)
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let held = room.live(name, Kind::Lease, now)?;
            let is_held = held.is_some_and(|(head, _)| head.version == token);
            if is_held {
                let head = Head::new(name, token, now, Some(ttl));
                room.put(name, Kind::Lease, &head.file(b""), false)?;
            }
            Ok(is_held)
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let held = room.live(name, Kind::Lease, now)?;
            Ok(held.is_some_and(|(head, _)| head.version == token)
                && room.remove(name, Kind::Lease)?)
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let held = room.live(name, Kind::Lease, now)?;
            if held.is_none_or(|(head, _)| head.version != token) {
                return Ok(false);
            }
            self.put(
                &mut room,
                &Head::new(name, self.version(), now, ttl),
                &bytes,
            )?;
            drop(room);
            self.keep_within_bounds(name, bytes.len());
            Ok(true)
        })
    }
}

impl Scan for FileStore {
    /// Pages go from room to room, and through each in the order of its files' names.
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.at_once(|now| {
            let from = after.map(FileName::of);
            let mut page = Page::default();
            for number in from.as_ref().map_or(0, |from| from.room)..ROOMS.len() {
                let passed = from
                    .as_ref()
                    .filter(|from| from.room == number)
                    .map(|from| from.stem.as_str());
                let mut stems: Vec<String> = files::files(&self.root, number)?
                    .into_iter()
                    .filter_map(|file| file.strip_suffix(".value").map(str::to_owned))
                    .filter(|stem| passed.is_none_or(|passed| stem.as_str() > passed))
                    .collect();
                stems.sort_unstable();
                for stem in stems {
                    let head = files::head_of(&self.root, number, &format!("{stem}.value"))?;
                    let Some(head) =
                        head.filter(|head| head.is_live(now) && head.name.starts_with(prefix))
                    else {
                        continue;
                    };
                    if page.names.len() >= limit.max(1) {
                        page.next = page.names.last().cloned();
                        return Ok(page);
                    }
                    page.names.push(head.name);
                }
            }
            Ok(page)
        })
    }
}

impl Touch for FileStore {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.at_once(|now| {
            let mut room = self.room(name)?;
            let Some((head, bytes)) = room.live(name, Kind::Value, now)? else {
                return Ok(false);
            };
            let head = Head::new(name, head.version, now, ttl);
            self.replace(&mut room, &head, &bytes)?;
            Ok(true)
        })
    }
}
