//! From a value's bytes to an envelope and back: compressed, described, sealed.

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use everwarm_core::codec::{
    Binding, BindingId, Carrier, Codec, Meta, Opened, Plain, Refusal, Under,
};
use everwarm_core::error::{Error, ErrorKind};

use crate::body::{self, LONGEST_META, Packed};
use crate::compress::{Compression, Method, unpack};
use crate::draft::Draft;
use crate::encrypt::{Salt, fresh_salt};
use crate::envelope::{Frame, HEADER};
use crate::keyring::Keyring;
use crate::master::MasterKey;
use crate::suite::Suite;
use crate::{checksum, encrypt, mac};

/// The largest limit of values: 1 GiB.
pub const LARGEST_LIMIT: usize = 1 << 30;

/// How a pipeline seals, and what it opens.
///
/// ```
/// use everwarm_codec::pipeline::{Config, Pipeline};
/// use everwarm_core::codec::{Binding, Codec, Meta, Refusal};
///
/// let pipeline = Pipeline::new(Config::default())?;
/// let binding = Binding { tenant: b"", namespace: "shop", function: "profile", schema: "", key: b"\x11\x07" };
/// let envelope = pipeline.seal(&binding, &Meta::default(), b"payload")?;
/// assert_eq!(pipeline.open(&binding, &envelope).unwrap().payload, "payload");
///
/// let other = Binding { key: b"\x11\x08", ..binding };
/// assert_eq!(pipeline.open(&other, &envelope), Err(Refusal::Misplaced));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// How payloads are compressed.
    pub compression: Compression,
    /// From how many bytes on they are.
    pub threshold: usize,
    /// In which suite envelopes are sealed; they are opened in it, too.
    pub suite: Suite,
    /// In which other suites they are opened.
    pub accepted: Vec<Suite>,
    /// The keys, where a suite takes some.
    pub keyring: Option<Arc<Keyring>>,
    /// The largest value in bytes, before it is compressed.
    pub max_value: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            compression: Compression::None,
            threshold: 1 << 10,
            suite: Suite::Checksum,
            accepted: Vec::new(),
            keyring: None,
            max_value: 16 << 20,
        }
    }
}

/// Where salts come from: chance is an argument, of the golden tests alone.
type DrawSalt = Box<dyn Fn() -> Result<Salt, Error> + Send + Sync>;

/// The codec of envelopes.
pub struct Pipeline {
    config: Config,
    /// Which suites are opened, by number.
    accepted: [bool; Suite::ALL.len()],
    salt: DrawSalt,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pipeline").field(&self.config).finish()
    }
}

impl Pipeline {
    /// The pipeline of a configuration.
    ///
    /// # Errors
    /// If the configuration cannot be meant: a suite without a key, plain envelopes beside authenticated ones, a level or a
    /// limit that there is not.
    pub fn new(config: Config) -> Result<Self, Error> {
        config.compression.check()?;
        let mut accepted = [false; Suite::ALL.len()];
        for suite in config.accepted.iter().chain([&config.suite]) {
            check_suite(*suite, &config)?;
            accepted[usize::from(suite.number())] = true;
        }
        if config.max_value == 0 || config.max_value > LARGEST_LIMIT {
            return Err(Error::config(
                format!("the largest value is to have {} bytes", config.max_value),
                "choose a limit from 1 byte to 1 GiB",
            ));
        }
        Ok(Self {
            config,
            accepted,
            salt: Box::new(fresh_salt),
        })
    }

    /// An envelope with these facts, to which the payload is appended, in `buffer`, which is emptied first: so a serializer
    /// writes into what is stored.
    ///
    /// ```
    /// use everwarm_codec::pipeline::{Config, Pipeline};
    /// use everwarm_core::codec::{Binding, Codec, Meta};
    ///
    /// let pipeline = Pipeline::new(Config::default())?;
    /// let binding = Binding { tenant: b"", namespace: "shop", function: "profile", schema: "", key: b"\x11\x07" };
    /// let mut draft = pipeline.begin(&Meta::default(), Vec::new())?;
    /// draft.payload().extend_from_slice(b"payload");
    /// let envelope = draft.finish(&binding)?;
    /// assert_eq!(envelope, pipeline.seal(&binding, &Meta::default(), b"payload")?);
    /// # Ok::<(), everwarm_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are more tags, stamps or bytes of key than may be.
    pub fn begin(&self, meta: &Meta, buffer: Vec<u8>) -> Result<Draft<'_>, Error> {
        Draft::begin(self, meta, buffer)
    }

    /// The suite that seals.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.config.suite
    }

    /// The number of the key that seals; zero where there is none.
    pub(crate) fn key_id(&self) -> u32 {
        self.sealing_key().map_or(0, MasterKey::id)
    }

    /// How many bytes a value may have.
    pub(crate) const fn max_value(&self) -> usize {
        self.config.max_value
    }

    /// The length of a payload that may be stored.
    pub(crate) fn checked(&self, payload: &[u8]) -> Result<u32, Error> {
        u32::try_from(payload.len())
            .ok()
            .filter(|_| payload.len() <= self.config.max_value)
            .ok_or_else(|| {
                let (length, limit) = (payload.len(), self.config.max_value);
                Error::new(
                    ErrorKind::Unsupported,
                    format!("a value has {length} bytes, above the limit of {limit}"),
                    "raise the limit of values, or cache parts of it",
                )
            })
    }

    /// The payload compressed, if it is to be and that helps.
    pub(crate) fn pack(&self, payload: &[u8]) -> Option<(Method, Vec<u8>)> {
        let is_long = payload.len() >= self.config.threshold;
        is_long.then(|| self.config.compression.pack(payload))?
    }

    /// Seals an envelope whose header and body are written.
    pub(crate) fn protect(
        &self,
        envelope: &mut Vec<u8>,
        binding: &Binding<'_>,
    ) -> Result<(), Error> {
        match self.sealing_key() {
            None => checksum::seal(envelope, binding),
            Some(key) if self.config.suite == Suite::Mac => mac::seal(envelope, key, binding),
            Some(key) => {
                let salt = (self.salt)()?;
                encrypt::seal(envelope, self.config.suite, key, binding, &salt)?;
            }
        }
        Ok(())
    }

    /// The key that seals, where the suite takes one.
    fn sealing_key(&self) -> Option<&MasterKey> {
        let keyring = self.config.keyring.as_deref();
        keyring
            .filter(|_| self.config.suite.is_authenticated())
            .map(Keyring::primary)
    }

    /// Proves a frame to be sealed for this key, and undamaged unless it is known to be whole. Gives the body, if it was encrypted.
    fn prove(
        &self,
        frame: &Frame<'_>,
        under: &Under<'_>,
        is_whole: bool,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        if frame.suite == Suite::Checksum {
            return checksum::open(frame, under, is_whole).map(|()| None);
        }
        let binding = &under.binding;
        let keyring = self.config.keyring.as_deref().ok_or(Refusal::KeyId)?;
        let key = keyring.find(frame.key_id).ok_or(Refusal::KeyId)?;
        if frame.suite == Suite::Mac {
            return mac::open(frame, key, binding).map(|()| None);
        }
        encrypt::open(frame, key, binding).map(Some)
    }

    /// Checks the payload of a proven body, and decompresses it if it is compressed.
    fn unpack(&self, body: &[u8], how: &Packed) -> Result<Option<Vec<u8>>, Refusal> {
        let packed = &body[how.start..];
        if let Some(method) = how.method {
            return unpack(method, packed, how.length, self.config.max_value).map(Some);
        }
        if packed.len() != how.length {
            return Err(Refusal::Damaged);
        }
        if packed.len() > self.config.max_value {
            return Err(Refusal::TooLarge);
        }
        Ok(None)
    }
}

impl Codec for Pipeline {
    fn seal(&self, binding: &Binding<'_>, meta: &Meta, payload: &[u8]) -> Result<Bytes, Error> {
        let is_packed =
            self.config.compression != Compression::None && payload.len() >= self.config.threshold;
        let expected = if is_packed {
            payload.len() / 2
        } else {
            payload.len()
        };
        // As long as it will be, unless it is packed: bytes with room behind them would have to be told apart from those without.
        let around = HEADER + self.suite().before() + self.suite().after();
        let buffer = Vec::with_capacity(around + body::length(meta) + expected);
        self.begin(meta, buffer)?.put(binding, payload)
    }

    fn open_into(
        &self,
        under: &Under<'_>,
        envelope: &Bytes,
        is_whole: bool,
        opened: &mut Opened,
    ) -> Result<(), Refusal> {
        opened.payload = match self.held(under, envelope, (is_whole, &mut opened.meta))? {
            Held::There(part) => envelope.slice(part),
            Held::Made(bytes, from) => Bytes::from(bytes).slice(from..),
        };
        Ok(())
    }

    fn open_plain(
        &self,
        under: &Under<'_>,
        envelope: &mut Bytes,
        is_whole: bool,
        plain: &mut Plain,
    ) -> Result<bool, Refusal> {
        let frame = self.frame(envelope)?;
        let body = &envelope[frame.body.clone()];
        if frame.suite.is_secret() || !body::seems_plain(body) {
            return Ok(false);
        }
        self.prove(&frame, under, is_whole)?;
        if !frame.is_known() {
            return Err(Refusal::Version);
        }
        let how = body::read_plain(body, plain)?;
        self.unpack(body, &how)?;
        let part = frame.body.start + how.start..frame.body.end;
        plain.payload = mem::take(envelope);
        plain.payload.truncate(part.end);
        plain.payload.advance(part.start);
        Ok(true)
    }

    fn carrier(&self) -> Option<&dyn Carrier> {
        // A seal binds to the key.
        (self.config.suite == Suite::Checksum).then_some(self)
    }
}

/// Where a payload is.
enum Held {
    /// In the envelope.
    There(Range<usize>),
    /// In these bytes, from there on.
    Made(Vec<u8>, usize),
}

impl Pipeline {
    /// What an envelope holds, read where it lies unless it has to be decrypted or decompressed.
    ///
    /// # Errors
    /// As [`open`](Codec::open).
    pub fn open_here<'e>(
        &self,
        binding: &Binding<'_>,
        envelope: &'e [u8],
    ) -> Result<(Meta, Cow<'e, [u8]>), Refusal> {
        let mut meta = Meta::default();
        let under = Under {
            binding: *binding,
            id: &BindingId::default(),
        };
        let payload = match self.held(&under, envelope, (false, &mut meta))? {
            Held::There(part) => Cow::Borrowed(&envelope[part]),
            Held::Made(mut bytes, from) => {
                bytes.drain(..from);
                Cow::Owned(bytes)
            }
        };
        Ok((meta, payload))
    }

    /// The frame of an envelope that may be opened.
    fn frame<'e>(&self, envelope: &'e [u8]) -> Result<Frame<'e>, Refusal> {
        let frame = Frame::read(envelope, |suite| self.accepted[usize::from(suite.number())])?;
        if frame.body.len() > LONGEST_META + self.config.max_value {
            return Err(Refusal::TooLarge);
        }
        Ok(frame)
    }

    /// Where the payload of an envelope is, once all is proven; what is known of it goes into an empty `meta`.
    fn held(
        &self,
        under: &Under<'_>,
        envelope: &[u8],
        (is_whole, meta): (bool, &mut Meta),
    ) -> Result<Held, Refusal> {
        let frame = self.frame(envelope)?;
        let decrypted = self.prove(&frame, under, is_whole)?;
        if !frame.is_known() {
            return Err(Refusal::Version);
        }
        let body = match &decrypted {
            Some(body) => &body[..],
            None => &envelope[frame.body.clone()],
        };
        let how = body::read(body, meta)?;
        Ok(match (self.unpack(body, &how)?, decrypted) {
            (Some(unpacked), _) => Held::Made(unpacked, 0),
            (None, Some(body)) => Held::Made(body, how.start),
            (None, None) => Held::There(frame.body.start + how.start..frame.body.end),
        })
    }
}

/// Whether a suite may seal or open under this configuration.
fn check_suite(suite: Suite, config: &Config) -> Result<(), Error> {
    if suite.is_authenticated() && config.keyring.is_none() {
        return Err(Error::config(
            format!("the suite {} has no key", suite.name()),
            "give an encryption key: 32 random bytes as hex or base64",
        ));
    }
    if !suite.is_authenticated() && config.suite.is_authenticated() {
        return Err(Error::config(
            format!(
                "envelopes that anybody could write would be opened beside those of {}",
                config.suite.name()
            ),
            "leave the suite checksum out: entries without encryption become misses, and expire",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod golden;
