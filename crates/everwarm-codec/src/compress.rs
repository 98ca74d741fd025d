//! Compression: payloads from a size on, and back within bounds that do not depend on what they claim.

use std::io::{Read, Write};

use everwarm_core::codec::Refusal;
use everwarm_core::error::Error;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use crate::suite::short;

/// What is decompressed is at most so many times as long, but for [`GRACE`].
pub const MOST_GROWTH: usize = 256;
/// So many bytes more may it be.
pub const GRACE: usize = 64 << 10;

const ZSTD_LEVELS: std::ops::RangeInclusive<u8> = 1..=22;
const ZSTD_LEVEL: u8 = 3;
const GZIP_LEVELS: std::ops::RangeInclusive<u8> = 1..=9;
const GZIP_LEVEL: u8 = 6;

/// How payloads are compressed before they are stored. What is read may be compressed in any of these ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4: fast.
    Lz4,
    /// Zstandard: small, and still fast.
    Zstd {
        /// From 1, fast, to 22, small.
        level: u8,
    },
    /// Gzip: what everybody reads.
    Gzip {
        /// From 1, fast, to 9, small.
        level: u8,
    },
}

/// How one payload is compressed: a number on the wire, for ever; zero is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Lz4 = 1,
    Zstd = 2,
    Gzip = 3,
}

impl Method {
    /// The method of a number on the wire, if it is one that this version knows.
    pub(crate) fn numbered(number: u8) -> Option<Self> {
        [Self::Lz4, Self::Zstd, Self::Gzip]
            .into_iter()
            .find(|method| *method as u8 == number)
    }
}

impl Compression {
    /// What users write: a name, and a level after a colon where there are levels.
    ///
    /// ```
    /// use everwarm_codec::compress::Compression;
    ///
    /// assert_eq!(Compression::parse("lz4")?, Compression::Lz4);
    /// assert_eq!(Compression::parse("zstd:9")?, Compression::Zstd { level: 9 });
    /// assert!(Compression::parse("zstd:40").unwrap_err().hint().contains("from 1 to 22"));
    /// # Ok::<(), everwarm_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such compression, or it has no such level.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let level_or = |default| match level {
            Some(level) => level.parse().map_err(|_| no_level(text)),
            None => Ok(default),
        };
        let compression = match (name, level) {
            ("none", None) => Self::None,
            ("lz4", None) => Self::Lz4,
            ("zstd", _) => Self::Zstd {
                level: level_or(ZSTD_LEVEL)?,
            },
            ("gzip", _) => Self::Gzip {
                level: level_or(GZIP_LEVEL)?,
            },
            ("none" | "lz4", Some(_)) => return Err(no_level(text)),
            _ => {
                return Err(Error::config(
                    format!("there is no compression {:?}", short(text)),
                    "the compressions are none, lz4, zstd and gzip",
                ));
            }
        };
        compression.check()?;
        Ok(compression)
    }

    /// Refuses a level that there is not.
    pub(crate) fn check(self) -> Result<(), Error> {
        let (is_level, text) = match self {
            Self::None | Self::Lz4 => return Ok(()),
            Self::Zstd { level } => (ZSTD_LEVELS.contains(&level), format!("zstd:{level}")),
            Self::Gzip { level } => (GZIP_LEVELS.contains(&level), format!("gzip:{level}")),
        };
        if is_level {
            Ok(())
        } else {
            Err(no_level(&text))
        }
    }

    /// The payload compressed, if that makes it smaller. What shrinks so much that it would be refused as a bomb is left to
    /// LZ4, which cannot shrink anything more than 255 times.
    pub(crate) fn pack(self, payload: &[u8]) -> Option<(Method, Vec<u8>)> {
        let (method, packed) = match self {
            Self::None => return None,
            Self::Lz4 => (Method::Lz4, lz4_flex::block::compress(payload)),
            Self::Zstd { level } => {
                let packed = zstd::bulk::compress(payload, i32::from(level)).ok()?;
                (Method::Zstd, packed)
            }
            Self::Gzip { level } => (Method::Gzip, gzip(payload, level).ok()?),
        };
        let (method, packed) = if payload.len() > longest(packed.len()) {
            (Method::Lz4, lz4_flex::block::compress(payload))
        } else {
            (method, packed)
        };
        (packed.len() < payload.len()).then_some((method, packed))
    }
}

/// The payload decompressed, if it is as long as it is said to be; what it is said to be is checked before memory is taken.
pub(crate) fn unpack(
    method: Method,
    packed: &[u8],
    length: usize,
    max_value: usize,
) -> Result<Vec<u8>, Refusal> {
    if length > max_value.min(longest(packed.len())) {
        return Err(Refusal::TooLarge);
    }
    let mut payload = vec![0; length];
    let filled = match method {
        Method::Lz4 => lz4_flex::block::decompress_into(packed, &mut payload)
            .ok()
            .filter(|filled| *filled == length)
            .map(drop),
        Method::Zstd => zstd::bulk::decompress_to_buffer(packed, &mut payload[..])
            .ok()
            .filter(|filled| *filled == length)
            .map(drop),
        Method::Gzip => gunzip(packed, &mut payload),
    };
    filled.map(|()| payload).ok_or(Refusal::Damaged)
}

/// The longest that so many compressed bytes may become.
const fn longest(packed: usize) -> usize {
    packed.saturating_mul(MOST_GROWTH).saturating_add(GRACE)
}

fn gzip(payload: &[u8], level: u8) -> std::io::Result<Vec<u8>> {
    let level = flate2::Compression::new(u32::from(level));
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(payload)?;
    encoder.finish()
}

/// Fills `payload` with exactly what `packed` holds: one member, whole, and nothing behind it.
fn gunzip(packed: &[u8], payload: &mut [u8]) -> Option<()> {
    let mut decoder = GzDecoder::new(packed);
    decoder.read_exact(payload).ok()?;
    let is_at_end = decoder.read(&mut [0]).ok()? == 0;
    (is_at_end && decoder.into_inner().is_empty()).then_some(())
}

fn no_level(text: &str) -> Error {
    Error::config(
        format!("{:?} is no level of compression", short(text)),
        "zstd has levels from 1 to 22, gzip from 1 to 9, lz4 and none have no levels: \"zstd:3\", \"gzip:6\", \"lz4\"",
    )
}
