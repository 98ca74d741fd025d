//! What lies in the bodies that are framed: entries, leases, readings, messages. Each thing is written and read in one place.

use std::time::Duration;

use bytes::Bytes;
use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{Computed, Entry, Found, Grant, Leased, Message, Messages, Settled};

use super::frames::{Reader, Writer};

/// What was read whole from a body, to its end.
pub fn whole<T>(body: Bytes, read: impl FnOnce(&mut Reader) -> Option<T>) -> Option<T> {
    let mut reader = Reader::new(body);
    let read = read(&mut reader)?;
    reader.end()?;
    Some(read)
}

/// A body, as it is written.
pub fn body(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.done()
}

/// Writes names.
pub fn put_names(writer: &mut Writer, names: &[&str]) {
    writer.many(names.iter(), |writer, name| writer.bytes(name.as_bytes()));
}

/// Reads names.
pub fn names(reader: &mut Reader) -> Option<Vec<String>> {
    reader.many(Reader::text)
}

/// Writes what was found, or that nothing was.
pub fn put_found(writer: &mut Writer, found: Option<&Found>) {
    writer.choice(found.is_some().into());
    if let Some(found) = found {
        writer.bytes(&found.bytes);
        writer.span(found.remaining);
        writer.number(found.version);
    }
}

/// Reads what was found.
pub fn found(reader: &mut Reader) -> Option<Option<Found>> {
    if reader.choice(2)? == 0 {
        return Some(None);
    }
    Some(Some(Found {
        bytes: reader.bytes()?,
        remaining: reader.span()?,
        version: reader.number()?,
    }))
}

/// An entry as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name.
    pub name: String,
    /// The token of the lease that it is set under, or 0.
    pub token: u64,
    /// The bytes.
    pub bytes: Bytes,
    /// How long they are kept.
    pub ttl: Option<Duration>,
}

/// Writes entries that are set.
pub fn put_entries(writer: &mut Writer, entries: &[Entry<'_>]) {
    writer.many(entries.iter(), |writer, entry| {
        put_written(writer, (entry.name, 0), (&entry.bytes, entry.ttl));
    });
}

/// Writes entries that are set under leases.
pub fn put_leased(writer: &mut Writer, entries: &[Leased<'_>]) {
    writer.many(entries.iter(), |writer, entry| {
        put_written(writer, (entry.name, entry.token), (&entry.bytes, entry.ttl));
    });
}

fn put_written(
    writer: &mut Writer,
    (name, token): (&str, u64),
    (bytes, ttl): (&Bytes, Option<Duration>),
) {
    writer.bytes(name.as_bytes());
    writer.number(token);
    writer.bytes(bytes);
    writer.span(ttl);
}

/// Reads entries.
pub fn entries(reader: &mut Reader) -> Option<Vec<Written>> {
    reader.many(|reader| {
        Some(Written {
            name: reader.text()?,
            token: reader.number()?,
            bytes: reader.bytes()?,
            ttl: reader.span()?,
        })
    })
}

/// Writes which of some things are so.
pub fn put_yes(writer: &mut Writer, all: &[bool]) {
    writer.many(all.iter(), |writer, &yes| writer.choice(yes.into()));
}

/// Reads which of some things are so.
pub fn yes(reader: &mut Reader) -> Option<Vec<bool>> {
    reader.many(|reader| Some(reader.choice(2)? == 1))
}

/// Writes for which names leases are asked, and for how long.
pub fn put_wanted(writer: &mut Writer, names: &[(&str, u64)], ttl: Duration) {
    writer.span(Some(ttl));
    writer.many(names.iter(), |writer, (name, token)| {
        writer.bytes(name.as_bytes());
        writer.number(*token);
    });
}

/// Reads for which names leases are asked, and for how long.
pub fn wanted(reader: &mut Reader) -> Option<(Duration, Vec<(String, u64)>)> {
    let ttl = reader.span()??;
    let names = reader.many(|reader| Some((reader.text()?, reader.number()?)))?;
    Some((ttl, names))
}

/// Writes which leases were given.
pub fn put_grants(writer: &mut Writer, grants: &[Grant]) {
    writer.many(grants.iter(), |writer, grant| {
        writer.span(match grant {
            Grant::Granted => None,
            Grant::Held(left) => Some(*left),
        });
    });
}

/// Reads which leases were given.
pub fn grants(reader: &mut Reader) -> Option<Vec<Grant>> {
    reader.many(|reader| Some(reader.span()?.map_or(Grant::Granted, Grant::Held)))
}

/// What is asked of some tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The namespace.
    pub namespace: String,
    /// The tags.
    pub tags: Vec<Tag>,
    /// For how long markers are kept, or tags suspended.
    pub span: Option<Duration>,
}

/// Writes what is asked of some tags.
pub fn put_asked(writer: &mut Writer, namespace: &str, tags: &[Tag], span: Option<Duration>) {
    writer.bytes(namespace.as_bytes());
    put_tags(writer, tags);
    writer.span(span);
}

/// Reads what is asked of some tags.
pub fn asked(reader: &mut Reader) -> Option<Asked> {
    Some(Asked {
        namespace: reader.text()?,
        tags: tags(reader)?,
        span: reader.span()?,
    })
}

fn put_tags(writer: &mut Writer, tags: &[Tag]) {
    writer.many(tags.iter(), put_tag);
}

fn put_tag(writer: &mut Writer, tag: &Tag) {
    writer.bytes(&tag.0);
}

fn tags(reader: &mut Reader) -> Option<Vec<Tag>> {
    reader.many(tag)
}

fn tag(reader: &mut Reader) -> Option<Tag> {
    Some(Tag((*reader.bytes()?).try_into().ok()?))
}

fn put_mark(writer: &mut Writer, mark: &Mark) {
    writer.number(mark.shard.into());
    writer.number(mark.epoch);
    writer.number(mark.number);
}

fn mark(reader: &mut Reader) -> Option<Mark> {
    Some(Mark {
        shard: reader.number()?.try_into().ok()?,
        epoch: reader.number()?,
        number: reader.number()?,
    })
}

/// Writes a reading.
pub fn put_reading(writer: &mut Writer, reading: &Reading) {
    writer.many(reading.shards.iter(), put_mark);
    writer.many(reading.markers.iter(), |writer, marker| {
        writer.choice(marker.is_some().into());
        if let Some(marker) = marker {
            put_mark(writer, marker);
        }
    });
}

/// Reads a reading.
pub fn reading(reader: &mut Reader) -> Option<Reading> {
    let shards = reader.many(mark)?;
    let markers = reader.many(|reader| match reader.choice(2)? {
        0 => Some(None),
        _ => Some(Some(mark(reader)?)),
    })?;
    Some(Reading { shards, markers })
}

/// A computed value as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name, its token or 0, and the bytes.
    pub written: Written,
    /// The namespace of its tags.
    pub namespace: String,
    /// The stamps it was computed under.
    pub stamps: Vec<Mark>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Outcome {
    /// The same, as stores take it.
    #[must_use]
    pub fn computed(&self) -> Computed<'_> {
        Computed {
            name: &self.written.name,
            namespace: &self.namespace,
            bytes: self.written.bytes.clone(),
            ttl: self.written.ttl,
            token: (self.written.token != 0).then_some(self.written.token),
            stamps: &self.stamps,
            tags: &self.tags,
        }
    }
}

/// Writes computed values.
pub fn put_computed(writer: &mut Writer, all: &[Computed<'_>]) {
    writer.many(all.iter(), |writer, computed| {
        let named = (computed.name, computed.token.unwrap_or(0));
        put_written(writer, named, (&computed.bytes, computed.ttl));
        writer.bytes(computed.namespace.as_bytes());
        writer.many(computed.stamps.iter(), put_mark);
        put_tags(writer, computed.tags);
    });
}

/// Reads computed values.
pub fn computed(reader: &mut Reader) -> Option<Vec<Outcome>> {
    reader.many(|reader| {
        Some(Outcome {
            written: Written {
                name: reader.text()?,
                token: reader.number()?,
                bytes: reader.bytes()?,
                ttl: reader.span()?,
            },
            namespace: reader.text()?,
            stamps: reader.many(mark)?,
            tags: tags(reader)?,
        })
    })
}

/// Writes what became of computed values.
pub fn put_settled(writer: &mut Writer, all: &[Settled]) {
    writer.many(all.iter(), |writer, settled| {
        writer.choice(match settled {
            Settled::Stored => 0,
            Settled::Lost => 1,
            Settled::Overtaken => 2,
        });
    });
}

/// Reads what became of computed values.
pub fn settled(reader: &mut Reader) -> Option<Vec<Settled>> {
    reader.many(|reader| {
        Some(match reader.choice(3)? {
            0 => Settled::Stored,
            1 => Settled::Lost,
            _ => Settled::Overtaken,
        })
    })
}

/// What is told of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// What they did.
    pub told: Messages,
    /// How long ago the server knew everything that had been done elsewhere; `None`: it never did.
    pub silence: Option<Duration>,
    /// How often another server took over behind this one.
    pub failovers: u64,
}

/// Writes what is told of others.
pub fn put_news(writer: &mut Writer, news: &News) {
    writer.number(news.told.up_to);
    writer.choice(news.told.gap.into());
    writer.span(news.silence);
    writer.number(news.failovers);
    writer.many(news.told.messages.iter(), |writer, message| match message {
        Message::Key(name) => {
            writer.choice(0);
            writer.bytes(name.as_bytes());
        }
        Message::Clear(prefix) => {
            writer.choice(1);
            writer.bytes(prefix.as_bytes());
        }
        Message::Tag {
            namespace,
            tag,
            marker,
        } => {
            writer.choice(2);
            writer.bytes(namespace.as_bytes());
            put_tag(writer, tag);
            put_mark(writer, marker);
        }
        Message::Begins { space, at } => {
            writer.choice(3);
            writer.bytes(space.as_bytes());
            put_mark(writer, at);
        }
    });
}

/// Reads what is told of others.
pub fn news(reader: &mut Reader) -> Option<News> {
    let (up_to, gap) = (reader.number()?, reader.choice(2)? == 1);
    let (silence, failovers) = (reader.span()?, reader.number()?);
    let messages = reader.many(|reader| {
        let (kind, text) = (reader.choice(4)?, reader.text()?.into_boxed_str());
        Some(match kind {
            0 => Message::Key(text),
            1 => Message::Clear(text),
            2 => Message::Tag {
                namespace: text,
                tag: tag(reader)?,
                marker: mark(reader)?,
            },
            _ => Message::Begins {
                space: text,
                at: mark(reader)?,
            },
        })
    })?;
    Some(News {
        told: Messages {
            messages,
            up_to,
            gap,
        },
        silence,
        failovers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        shard: u16::MAX,
        epoch: 9,
        number: u64::MAX,
    };

    /// Reads what was written, and nothing else: no part of it, and nothing longer.
    fn back<T: std::fmt::Debug + PartialEq>(
        write: impl FnOnce(&mut Writer),
        read: impl Fn(&mut Reader) -> Option<T>,
    ) -> T {
        let written = body(write);
        for length in 0..written.len() {
            assert_eq!(whole(written.slice(..length), &read), None, "{length}");
        }
        whole(written, &read).expect("it was written")
    }

    #[test]
    fn entries_and_leases_come_back() {
        let found_one = Found {
            bytes: Bytes::from_static(b"\0\xff"),
            remaining: Some(Duration::from_nanos(5)),
            version: 7,
        };
        for one in [None, Some(found_one)] {
            assert_eq!(back(|to| put_found(to, one.as_ref()), found), one);
        }
        assert_eq!(back(|to| put_names(to, &["a", "ä"]), names), ["a", "ä"]);
        let leased = [Leased {
            name: "n",
            token: 3,
            bytes: Bytes::from_static(b"v"),
            ttl: None,
        }];
        let read = back(|to| put_leased(to, &leased), entries);
        assert_eq!((read[0].name.as_str(), read[0].token), ("n", 3));
        let set = [Entry {
            name: "n",
            bytes: Bytes::from_static(b"v"),
            ttl: Some(Duration::from_secs(1)),
        }];
        let read = back(|to| put_entries(to, &set), entries);
        assert_eq!(
            (read[0].token, read[0].ttl),
            (0, Some(Duration::from_secs(1)))
        );
        let ttl = Duration::from_millis(1);
        let read = back(|to| put_wanted(to, &[("n", 4)], ttl), wanted);
        assert_eq!(read, (ttl, vec![("n".to_owned(), 4)]));
        let all = [Grant::Granted, Grant::Held(ttl)];
        assert_eq!(back(|to| put_grants(to, &all), grants), all);
        assert_eq!(back(|to| put_yes(to, &[true, false]), yes), [true, false]);
    }

    #[test]
    fn what_is_computed_comes_back() {
        let tags = [Tag([7; 16])];
        let of = Asked {
            namespace: "shop".to_owned(),
            tags: tags.to_vec(),
            span: Some(Duration::from_secs(9)),
        };
        assert_eq!(back(|to| put_asked(to, "shop", &tags, of.span), asked), of);
        let one = Reading {
            shards: vec![MARK],
            markers: vec![None, Some(MARK)],
        };
        assert_eq!(back(|to| put_reading(to, &one), reading), one);
        for token in [None, Some(5)] {
            let given = Computed {
                name: "n",
                namespace: "shop",
                bytes: Bytes::from_static(b"v"),
                ttl: None,
                token,
                stamps: &[MARK],
                tags: &tags,
            };
            let read = back(|to| put_computed(to, &[given]), computed);
            let read = read[0].computed();
            assert_eq!(
                (read.token, read.stamps, read.tags),
                (token, &[MARK][..], &tags[..])
            );
        }
        let all = [Settled::Stored, Settled::Lost, Settled::Overtaken];
        assert_eq!(back(|to| put_settled(to, &all), settled), all);
    }

    #[test]
    fn news_come_back() {
        let messages = vec![
            Message::Key("k".into()),
            Message::Clear("".into()),
            Message::Tag {
                namespace: "shop".into(),
                tag: Tag([1; 16]),
                marker: MARK,
            },
            Message::Begins {
                space: "shop".into(),
                at: MARK,
            },
        ];
        let one = News {
            told: Messages {
                messages,
                up_to: 4,
                gap: true,
            },
            silence: Some(Duration::ZERO),
            failovers: 2,
        };
        assert_eq!(back(|to| put_news(to, &one), news), one);
        assert_eq!(
            back(|to| put_news(to, &News::default()), news),
            News::default()
        );
    }
}
