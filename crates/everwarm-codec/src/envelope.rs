//! The outermost layer of an envelope: its header, and where its parts lie.
//!
//! All that is read here is read before anything is authenticated, so it is no more than what says how to do that.

use std::ops::Range;

use everwarm_core::codec::Refusal;

use crate::suite::Suite;

/// With what every envelope begins: the first byte begins no text in UTF-8 and no MessagePack.
pub(crate) const MAGIC: [u8; 3] = [0xC1, b'E', b'W'];

/// The version that is written.
pub(crate) const VERSION: u8 = 1;

/// The length of a header.
pub(crate) const HEADER: usize = 16;

/// The header of an envelope of this version.
pub(crate) fn header(suite: Suite, key_id: u32, body: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..3].copy_from_slice(&MAGIC);
    header[3] = VERSION;
    header[4] = suite.number();
    header[8..12].copy_from_slice(&key_id.to_le_bytes());
    header[12..].copy_from_slice(&body.to_le_bytes());
    header
}

/// An envelope as its header says it is; nothing in it is proven.
pub(crate) struct Frame<'a> {
    /// How it is sealed.
    pub(crate) suite: Suite,
    /// With which key; zero where none is needed.
    pub(crate) key_id: u32,
    /// The header.
    pub(crate) header: &'a [u8; HEADER],
    /// What stands between header and body.
    pub(crate) before: &'a [u8],
    /// Where the body lies.
    pub(crate) body: Range<usize>,
    /// The body, and what stands behind it.
    pub(crate) rest: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame of `envelope`, if it is one of ours, of this version and an accepted suite, and whole.
    pub(crate) fn read(
        envelope: &'a [u8],
        is_accepted: impl FnOnce(Suite) -> bool,
    ) -> Result<Self, Refusal> {
        let Some((header, after)) = envelope.split_first_chunk::<HEADER>() else {
            let is_ours = envelope.starts_with(&MAGIC);
            return Err(if is_ours {
                Refusal::Damaged
            } else {
                Refusal::Foreign
            });
        };
        let [
            m0,
            m1,
            m2,
            version,
            suite,
            _,
            _,
            _,
            k0,
            k1,
            k2,
            k3,
            b0,
            b1,
            b2,
            b3,
        ] = *header;
        if [m0, m1, m2] != MAGIC {
            return Err(Refusal::Foreign);
        }
        if version != VERSION {
            return Err(Refusal::Version);
        }
        let suite = Suite::numbered(suite).ok_or(Refusal::Version)?;
        if !is_accepted(suite) {
            return Err(Refusal::Suite);
        }
        let body = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
        let (before, rest) = after
            .split_at_checked(suite.before())
            .ok_or(Refusal::Damaged)?;
        if rest.len().checked_sub(suite.after()) != Some(body) {
            return Err(Refusal::Damaged);
        }
        let start = HEADER + suite.before();
        Ok(Self {
            suite,
            key_id: u32::from_le_bytes([k0, k1, k2, k3]),
            header,
            before,
            body: start..start + body,
            rest,
        })
    }

    /// Whether this version knows all that the header says: what has no meaning yet is zero. Asked once it is proven.
    pub(crate) fn is_known(&self) -> bool {
        let [_, _, _, _, _, flags, r0, r1, ..] = *self.header;
        let needs_key = self.suite.is_authenticated();
        [flags, r0, r1] == [0; 3] && (needs_key || self.key_id == 0)
    }
}
