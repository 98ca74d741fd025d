//! The body of an envelope: what is known of the value, then its bytes.
//!
//! A block of fixed length is followed by those parts whose bits it sets, in the order of the bits, and by zeros up to a
//! multiple of eight, so that the payload lies aligned wherever the envelope does. Bits without a meaning are refused as
//! another version's: later parts need no later version of the envelope.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{KeyBytes, Meta, Plain, Refusal, Spans, Stamps};
use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::mark::Mark;
use everwarm_core::slide::Slide;

use crate::compress::Method;

/// So many tags may a value carry.
pub const MOST_TAGS: usize = 64;
/// So many bytes may the names of its tags have together.
pub const LONGEST_TAGS: usize = 4 << 10;
/// So many stamps may it carry.
pub const MOST_STAMPS: usize = 64;
/// So many bytes may a key have that is kept for scans.
pub const LONGEST_KEY: usize = 8 << 10;

/// The block of fixed length, and where in it the things lie that are known once the payload is.
const FIXED: usize = 16;
const METHOD: usize = 1;
const LENGTH: usize = 4;

/// The longest that stands before a payload.
pub(crate) const LONGEST_META: usize = FIXED
    + 4 * 8
    + SLIDE
    + 1
    + MOST_STAMPS * STAMP
    + 1
    + MOST_TAGS * 2
    + LONGEST_TAGS
    + 2
    + LONGEST_KEY
    + 8;

const STAMP: usize = 18;
const SLIDE: usize = 3 * 8;
const ALIGNED: usize = 8;

const FRESH: u16 = 1;
const QUIET: u16 = 1 << 1;
const STALE: u16 = 1 << 2;
const IF_ERROR: u16 = 1 << 3;
const STAMPS: u16 = 1 << 4;
const TAGS: u16 = 1 << 5;
const KEY: u16 = 1 << 6;
const SLIDES: u16 = 1 << 7;
const ALL: u16 = (SLIDES << 1) - 1;
const SPANS: u16 = FRESH | QUIET | STALE | IF_ERROR;
/// What a plain value may have; of stamps one.
const PLAIN: u16 = SPANS | STAMPS | KEY;

/// Appends all that stands before the payload; method and length are [filled in](complete) later.
pub(crate) fn begin(meta: &Meta, out: &mut Vec<u8>) -> Result<(), Error> {
    check(meta)?;
    let start = out.len();
    let Spans {
        fresh,
        quiet,
        stale,
        if_error,
        slide,
    } = meta.spans;
    let spans = [
        (FRESH, fresh),
        (QUIET, quiet),
        (STALE, some(stale)),
        (IF_ERROR, some(if_error)),
    ];
    let mut parts = 0;
    out.extend_from_slice(&[0; FIXED]);
    for (part, span) in spans {
        if let Some(span) = span {
            parts |= part;
            out.extend_from_slice(&nanoseconds(span));
        }
    }
    if !meta.stamps.is_empty() {
        parts |= STAMPS;
        out.push(meta.stamps.len() as u8);
        for stamp in &meta.stamps {
            out.extend_from_slice(&stamp.shard.to_le_bytes());
            out.extend_from_slice(&stamp.epoch.to_le_bytes());
            out.extend_from_slice(&stamp.number.to_le_bytes());
        }
    }
    if !meta.tags.is_empty() {
        parts |= TAGS;
        out.push(meta.tags.len() as u8);
        for tag in &meta.tags {
            sized(tag.as_bytes(), out);
        }
    }
    if let Some(key) = &meta.key {
        parts |= KEY;
        sized(key, out);
    }
    if let Some(Slide { by, ahead, most }) = slide {
        parts |= SLIDES;
        for span in [by, ahead, most] {
            out.extend_from_slice(&nanoseconds(span));
        }
    }
    let end = start + (out.len() - start).next_multiple_of(ALIGNED);
    out.resize(end, 0);
    let fixed = &mut out[start..start + FIXED];
    fixed[0] = meta.format;
    fixed[2..4].copy_from_slice(&parts.to_le_bytes());
    fixed[8..].copy_from_slice(&nanoseconds(meta.computed_in));
    Ok(())
}

/// How long all is that stands before the payload.
pub(crate) fn length(meta: &Meta) -> usize {
    let Spans {
        fresh,
        quiet,
        stale,
        if_error,
        slide,
    } = meta.spans;
    let spans = [fresh, quiet, some(stale), some(if_error)];
    let tags: usize = meta.tags.iter().map(|tag| 2 + tag.len()).sum();
    let key = meta.key.as_ref().map_or(0, |key| 2 + key.len());
    let stamps = meta.stamps.len() * STAMP;
    let lists = usize::from(stamps > 0) + usize::from(tags > 0);
    let slide = slide.map_or(0, |_| SLIDE);
    (FIXED + 8 * spans.iter().flatten().count() + stamps + tags + lists + key + slide)
        .next_multiple_of(ALIGNED)
}

/// Fills in how the payload was compressed, and how long it was before.
pub(crate) fn complete(body: &mut [u8], method: Option<Method>, length: u32) {
    body[METHOD] = method.map_or(0, |method| method as u8);
    body[LENGTH..LENGTH + 4].copy_from_slice(&length.to_le_bytes());
}

/// Where a body has its payload, and how it became what it is.
pub(crate) struct Packed {
    /// How it is compressed, if it is.
    pub(crate) method: Option<Method>,
    /// How long it is once it is decompressed, as is claimed.
    pub(crate) length: usize,
    /// Where in the body it begins; the body ends with it.
    pub(crate) start: usize,
}

/// Reads what a body says into an empty `meta`. The body was proven to be what was written; none of its lengths is trusted
/// nevertheless.
pub(crate) fn read(body: &[u8], meta: &mut Meta) -> Result<Packed, Refusal> {
    let mut rest = Rest(body);
    let Fixed {
        format,
        method,
        parts,
        length,
        computed_in,
    } = rest.fixed()?;
    meta.format = format;
    meta.computed_in = computed_in;
    meta.spans = rest.spans(parts)?;
    if parts & STAMPS != 0 {
        meta.stamps = rest.stamps()?;
    }
    if parts & TAGS != 0 {
        meta.tags = rest.tags()?;
    }
    if parts & KEY != 0 {
        meta.key = Some(KeyBytes::from_slice(rest.key()?));
    }
    if parts & SLIDES != 0 {
        meta.spans.slide = Some(Slide {
            by: rest.span()?,
            ahead: rest.span()?,
            most: rest.span()?,
        });
    }
    Ok(Packed {
        method,
        length,
        start: rest.payload(body)?,
    })
}

/// Whether a body, of which nothing is proven, says that its value is [plain](Plain), and not compressed.
pub(crate) fn seems_plain(body: &[u8]) -> bool {
    let Some([_, 0, low, high, ..]) = body.first_chunk::<FIXED>() else {
        return false;
    };
    let parts = u16::from_le_bytes([*low, *high]);
    let stamps = FIXED + 8 * (parts & SPANS).count_ones() as usize;
    parts & !PLAIN == 0 && (parts & STAMPS == 0 || body.get(stamps) == Some(&1))
}

/// As [`read`], of a body that seems plain. The payload is left to the caller.
pub(crate) fn read_plain(body: &[u8], plain: &mut Plain) -> Result<Packed, Refusal> {
    let mut rest = Rest(body);
    let Fixed {
        format,
        method,
        parts,
        length,
        ..
    } = rest.fixed()?;
    plain.format = format;
    plain.spans = rest.spans(parts)?;
    plain.stamp = None;
    if parts & STAMPS != 0 {
        rest.count(1)?;
        plain.stamp = Some(rest.mark()?);
    }
    if parts & KEY != 0 {
        rest.key()?;
    }
    Ok(Packed {
        method,
        length,
        start: rest.payload(body)?,
    })
}

/// What the block of fixed length says.
struct Fixed {
    format: u8,
    method: Option<Method>,
    parts: u16,
    length: usize,
    computed_in: Duration,
}

/// What of a body is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Refusal::Damaged)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn fixed(&mut self) -> Result<Fixed, Refusal> {
        let [format, method] = self.take()?;
        let parts = u16::from_le_bytes(self.take()?);
        if parts & !ALL != 0 {
            return Err(Refusal::Version);
        }
        let method = match method {
            0 => None,
            number => Some(Method::numbered(number).ok_or(Refusal::Version)?),
        };
        Ok(Fixed {
            format,
            method,
            parts,
            length: u32::from_le_bytes(self.take()?) as usize,
            computed_in: self.span()?,
        })
    }

    /// All but how reads lengthen a life.
    fn spans(&mut self, parts: u16) -> Result<Spans, Refusal> {
        let mut part = |bit| {
            let there = parts & bit != 0;
            there.then(|| self.span()).transpose()
        };
        Ok(Spans {
            fresh: part(FRESH)?,
            quiet: part(QUIET)?,
            stale: part(STALE)?.unwrap_or_default(),
            if_error: part(IF_ERROR)?.unwrap_or_default(),
            slide: None,
        })
    }

    fn span(&mut self) -> Result<Duration, Refusal> {
        Ok(Duration::from_nanos(u64::from_le_bytes(self.take()?)))
    }

    fn sized(&mut self) -> Result<&'a [u8], Refusal> {
        let length = u16::from_le_bytes(self.take()?);
        let (bytes, rest) = self
            .0
            .split_at_checked(usize::from(length))
            .ok_or(Refusal::Damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A count that is in its bounds.
    fn count(&mut self, most: usize) -> Result<usize, Refusal> {
        let [count] = self.take()?;
        let count = usize::from(count);
        (count <= most).then_some(count).ok_or(Refusal::Damaged)
    }

    fn stamps(&mut self) -> Result<Stamps, Refusal> {
        let count = self.count(MOST_STAMPS)?;
        (0..count).map(|_| self.mark()).collect()
    }

    fn mark(&mut self) -> Result<Mark, Refusal> {
        Ok(Mark {
            shard: u16::from_le_bytes(self.take()?),
            epoch: u64::from_le_bytes(self.take()?),
            number: u64::from_le_bytes(self.take()?),
        })
    }

    fn key(&mut self) -> Result<&'a [u8], Refusal> {
        let key = self.sized()?;
        (key.len() <= LONGEST_KEY)
            .then_some(key)
            .ok_or(Refusal::Damaged)
    }

    /// Where in the whole body the payload begins, once all before it is read.
    fn payload(&self, body: &[u8]) -> Result<usize, Refusal> {
        let start = (body.len() - self.0.len()).next_multiple_of(ALIGNED);
        match start > body.len() {
            true => Err(Refusal::Damaged),
            false => Ok(start),
        }
    }

    fn tags(&mut self) -> Result<Vec<Arc<str>>, Refusal> {
        let count = self.count(MOST_TAGS)?;
        let mut tags = Vec::with_capacity(count);
        let mut room = LONGEST_TAGS;
        for _ in 0..count {
            let name = self.sized()?;
            room = room.checked_sub(name.len()).ok_or(Refusal::Damaged)?;
            let name = std::str::from_utf8(name).map_err(|_| Refusal::Damaged)?;
            tags.push(Arc::from(name));
        }
        Ok(tags)
    }
}

fn some(span: Duration) -> Option<Duration> {
    (!span.is_zero()).then_some(span)
}

/// Nanoseconds as they are written: 584 years at most.
fn nanoseconds(span: Duration) -> [u8; 8] {
    u64::try_from(span.as_nanos())
        .unwrap_or(u64::MAX)
        .to_le_bytes()
}

/// Appends bytes after their length, which was checked to fit.
fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Whether what is known of a value keeps within the limits.
fn check(meta: &Meta) -> Result<(), Error> {
    let names: usize = meta.tags.iter().map(|tag| tag.len()).sum();
    let key = meta.key.as_ref().map_or(0, KeyBytes::len);
    let rows = [
        (meta.tags.len(), MOST_TAGS, "tags", "give it fewer"),
        (
            names,
            LONGEST_TAGS,
            "bytes of tag names",
            "give it fewer or shorter ones",
        ),
        (
            meta.stamps.len(),
            MOST_STAMPS,
            "stamps",
            "give it tags of fewer shards",
        ),
        (key, LONGEST_KEY, "bytes of key", "give it a shorter key"),
    ];
    match rows.into_iter().find(|(there, most, ..)| there > most) {
        Some((there, most, what, hint)) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("a value to be stored has {there} {what}, above the limit of {most}"),
            hint,
        )),
        None => Ok(()),
    }
}
