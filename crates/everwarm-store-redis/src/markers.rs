//! The shards of a namespace and the markers in them: what is asked of each, and what its server answers.

use everwarm_core::key::prefix;
use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::Failure;

use crate::error::unexpected;
use crate::keys::{Layout, Shard, channel};
use crate::packed::{Packed, Words};
use crate::request::Request;
use crate::script::{Argument, Script, script};
use crate::teller::Teller;
use crate::told::of_tag;
use crate::value::Value;
use everwarm_network::chance;

script!(
    /// The reading of a shard, which is made if it is missing.
    BEAT = "shard.lua", "beat.lua"
);

/// What the names of a namespace begin with, up to their first colon.
pub(crate) fn space_of(namespace: &str) -> String {
    let mut space = prefix(&[namespace]);
    space.pop();
    space
}

/// What every step on a shard is given: a fresh epoch, the channel, and what its messages begin with.
pub(crate) fn opening(shard: &Shard, database: u32, heading: String) -> [Argument; 3] {
    [
        chance::number().to_string().into(),
        channel(database, &shard.space).into(),
        heading.into(),
    ]
}

/// Tags of a namespace that lie in one shard.
pub(crate) struct Part<'a> {
    pub(crate) shard: Shard,
    /// Each with its place among all that were asked for.
    tags: Vec<(usize, &'a Tag)>,
}

/// Tags of a namespace, by their shards.
pub(crate) struct Parts<'a> {
    namespace: &'a str,
    teller: &'a Teller,
    layout: Layout,
    pub(crate) space: String,
    pub(crate) all: Vec<Part<'a>>,
    count: usize,
}

/// What a shard answered.
pub(crate) enum Read {
    /// It is not there.
    Missing,
    /// Its reading and those of the tags that were asked for.
    There(Mark, Vec<Option<Mark>>),
    /// One of the tags is suspended, or was: only the server's clock says what that is worth.
    Unclear,
}

impl<'a> Parts<'a> {
    /// These tags.
    pub(crate) fn new(
        layout: Layout,
        teller: &'a Teller,
        (namespace, tags): (&'a str, &'a [Tag]),
    ) -> Self {
        let mut parts = Self {
            namespace,
            teller,
            layout,
            space: space_of(namespace),
            all: Vec::new(),
            count: tags.len(),
        };
        for (place, tag) in tags.iter().enumerate() {
            let number = layout.shard_of_tag(tag);
            match parts
                .all
                .iter_mut()
                .find(|part| part.shard.number == number)
            {
                Some(part) => part.tags.push((place, tag)),
                None => parts.all.push(Part {
                    shard: layout.shard(&parts.space, number),
                    tags: vec![(place, tag)],
                }),
            }
        }
        parts
    }

    /// The shards in which none of the tags lies.
    pub(crate) fn others(&self) -> Vec<Shard> {
        let is_other = |number: &u16| self.all.iter().all(|part| part.shard.number != *number);
        let others = (0..self.layout.shards).filter(is_other);
        others
            .map(|number| self.layout.shard(&self.space, number))
            .collect()
    }

    /// Takes out the tags of one shard.
    pub(crate) fn take(&mut self, shard: &Shard) -> Option<Part<'a>> {
        let mut all = self.all.iter();
        let at = all.position(|part| part.shard.key == shard.key)?;
        Some(self.all.swap_remove(at))
    }

    /// The reading of what each part read, in their order.
    pub(crate) fn reading(&self, read: impl IntoIterator<Item = Read>) -> Reading {
        let mut reading = Reading {
            shards: Vec::with_capacity(self.all.len()),
            markers: vec![None; self.count],
        };
        for (part, read) in self.all.iter().zip(read) {
            if let Read::There(mark, markers) = read {
                reading.shards.push(mark);
                for ((place, _), marker) in part.tags.iter().zip(markers) {
                    reading.markers[*place] = marker;
                }
            }
        }
        reading.shards.sort_unstable_by_key(|mark| mark.shard);
        reading
    }

    /// What is told of an invalidation of each tag of a part.
    pub(crate) fn told(&self, part: &Part<'_>) -> impl Iterator<Item = Argument> {
        let said = |(_, tag): &(usize, &Tag)| {
            let what = of_tag(self.namespace, tag);
            self.teller.says(&part.shard, what).into()
        };
        part.tags.iter().map(said)
    }

    /// A step on one of the parts: what is told of each of its tags comes last.
    pub(crate) fn step(
        &self,
        part: &Part<'_>,
        script: &'static Script,
        (opening, given): ([Argument; 3], &[Argument]),
    ) -> Request {
        let mut keys = vec![part.shard.key.clone()];
        keys.extend(part.markers());
        let mut arguments = opening.to_vec();
        arguments.extend_from_slice(given);
        arguments.extend(self.told(part));
        Request::script(part.shard.slot, script, keys, arguments)
    }
}

impl Part<'_> {
    /// The keys of the markers.
    pub(crate) fn markers(&self) -> impl ExactSizeIterator<Item = String> {
        self.tags.iter().map(|(_, tag)| self.shard.marker(tag))
    }

    /// Adds the keys under which it lies as it is, behind others.
    pub(crate) fn add_keys(&self, keys: &mut Words) {
        add_keys(&self.shard, self.tags.iter().map(|(_, tag)| *tag), keys);
    }

    /// How many these are.
    pub(crate) const fn key_count(&self) -> usize {
        1 + self.tags.len()
    }

    /// Reads it as it is, and nothing else.
    pub(crate) fn read_alone(&self) -> Request {
        let mut keys = Words::default();
        self.add_keys(&mut keys);
        let mut read = Packed::default();
        read.written("MGET", &keys);
        Request::one(self.shard.slot, read)
    }

    /// What lies under these keys says.
    pub(crate) fn of_read(&self, there: &[Value]) -> Result<Read, Failure> {
        markers_in(&self.shard, there)
    }

    /// What a script's answer says: epoch, number, and the number of each marker.
    pub(crate) fn of_step(&self, answer: &Value) -> Result<Read, Failure> {
        let Value::Array(parts) = answer else {
            return Err(unexpected("a step on a shard"));
        };
        let [epoch, number, markers @ ..] = parts.as_slice() else {
            return Ok(Read::Missing);
        };
        let epoch = epoch.text().unwrap_or_default();
        let mark = |number: &Value| mark_of(&self.shard, epoch, number.text().unwrap_or_default());
        let marker = |number: &Value| match number {
            Value::Nil => Ok(None),
            number => mark(number).map(Some),
        };
        let markers: Result<_, Failure> = markers.iter().map(marker).collect();
        Ok(Read::There(mark(number)?, markers?))
    }
}

/// What each part's step answered.
pub(crate) fn read_by_steps(
    parts: &Parts<'_>,
    replies: Vec<Result<Value, Failure>>,
) -> Result<Vec<Read>, Failure> {
    let replies = parts.all.iter().zip(replies);
    replies.map(|(part, reply)| part.of_step(&reply?)).collect()
}

/// Adds the keys of a shard and of the markers of some tags in it, behind others.
pub(crate) fn add_keys<'a>(shard: &Shard, tags: impl Iterator<Item = &'a Tag>, keys: &mut Words) {
    keys.add(&[&shard.key]);
    tags.for_each(|tag| keys.add(&[&shard.marker(tag)]));
}

/// What lies under the keys of [`add_keys`] says.
///
/// # Errors
/// `Corruption` for what no store wrote.
pub(crate) fn markers_in(shard: &Shard, there: &[Value]) -> Result<Read, Failure> {
    let [read, markers @ ..] = there else {
        return Err(unexpected("a read of markers"));
    };
    let Some(mark) = shard_in(read, shard)? else {
        return Ok(Read::Missing);
    };
    let mut marks = Vec::with_capacity(markers.len());
    for marker in markers {
        let Some(text) = marker.text() else {
            marks.push(None);
            continue;
        };
        let Some((epoch, number)) = text.split_once(' ') else {
            return Err(unexpected("a read of markers"));
        };
        if number.contains(' ') {
            return Ok(Read::Unclear);
        }
        let marker = mark_of(shard, epoch, number)?;
        marks.push((marker.epoch == mark.epoch).then_some(marker));
    }
    Ok(Read::There(mark, marks))
}

/// Reads a shard as it is.
pub(crate) fn read_shard(shard: &Shard) -> Request {
    let mut read = Packed::default();
    read.parts("GET", &[&shard.key]);
    Request::one(shard.slot, read)
}

/// The step that reads a shard, and makes it if it is missing.
pub(crate) fn beat(shard: &Shard, opening: [Argument; 3]) -> Request {
    Request::script(shard.slot, &BEAT, vec![shard.key.clone()], opening.into())
}

/// The reading that its answer tells of.
///
/// # Errors
/// `Corruption` for what no store wrote.
pub(crate) fn beat_in(answer: &Value, shard: &Shard) -> Result<Mark, Failure> {
    if let Value::Array(fields) = answer
        && let [epoch, number] = fields.as_slice()
        && let (Some(epoch), Some(number)) = (epoch.text(), number.text())
    {
        return mark_of(shard, epoch, number);
    }
    Err(unexpected("a step on a shard"))
}

/// The reading in what lies under the key of a shard, if it is there.
///
/// # Errors
/// `Corruption` for what no store wrote.
pub(crate) fn shard_in(there: &Value, shard: &Shard) -> Result<Option<Mark>, Failure> {
    if matches!(there, Value::Nil) {
        return Ok(None);
    }
    let mut words = there.text().unwrap_or_default().splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(epoch), Some(number), Some(_)) => mark_of(shard, epoch, number).map(Some),
        _ => Err(unexpected("a read of a shard")),
    }
}

fn mark_of(shard: &Shard, epoch: &str, number: &str) -> Result<Mark, Failure> {
    let read = |text: &str| text.parse().map_err(|_| unexpected("a read of markers"));
    Ok(Mark {
        shard: shard.number,
        epoch: read(epoch)?,
        number: read(number)?,
    })
}
