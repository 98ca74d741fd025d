//! The codec of a cache as its users say it: compression, the limit of values, keys, and what becomes of tampered entries.
//!
//! A cache with a keyring seals and opens with AES-256-GCM alone. One without seals against damage; what is pickled is then
//! sealed with a key of the user's own on this host, and nothing without such a seal comes near an unpickler.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use everwarm_codec::compress::Compression;
use everwarm_codec::format::Format as Number;
use everwarm_codec::keyring::Keyring as Ring;
use everwarm_codec::names::Names;
use everwarm_codec::pipeline::{Config, Pipeline};
use everwarm_codec::suite::Suite;
use everwarm_core::codec::{Binding, Carrier, Codec as Seals, Meta, Opened, Plain, Refusal, Under};
use everwarm_core::error::Error;
use everwarm_core::store::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bounds::size_of;
use crate::errors;
use crate::format::Plan as Format;

use super::keyring::Keyring;

/// Where in an envelope the number of its suite stands.
const SUITE: usize = 4;
/// Room that is made ahead for an envelope with a small value.
const ROOM: usize = 640;

/// What an envelope is bound to that lies in no store.
const KEYLESS: Binding<'static> = Binding {
    tenant: b"",
    namespace: "",
    function: "",
    schema: "",
    key: b"",
};

/// What a cache seals and opens with.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Codec(pub(crate) Arc<Sealer>);

#[pymethods]
impl Codec {
    /// `compression` is a name with a level or None; the sizes are as users write them.
    #[new]
    #[pyo3(signature = (compression, compression_threshold, max_value, keyring, on_tamper))]
    fn new(
        py: Python<'_>,
        compression: Option<&str>,
        compression_threshold: &Bound<'_, PyAny>,
        max_value: &Bound<'_, PyAny>,
        keyring: Option<&Bound<'_, Keyring>>,
        on_tamper: &str,
    ) -> PyResult<Self> {
        let keyring = keyring.map(Bound::get);
        let compression = compression.map_or(Ok(Compression::None), Compression::parse);
        let config = Config {
            compression: compression.map_err(|error| errors::raise(py, &error))?,
            threshold: bytes_of("compression_threshold", compression_threshold)?,
            max_value: bytes_of("max_value", max_value)?,
            suite: if keyring.is_some() {
                Suite::AesGcm
            } else {
                Suite::Checksum
            },
            accepted: Vec::new(),
            keyring: keyring.map(|keyring| Arc::clone(&keyring.ring)),
        };
        let raises = match on_tamper {
            "miss" => false,
            "raise" => true,
            _ => {
                let message = "on_tamper is nothing that a cache can do about a tampered entry";
                let hint = "write `on_tamper=\"miss\"` or `on_tamper=\"raise\"`";
                return Err(errors::config(py, message, hint));
            }
        };
        Ok(Self(Arc::new(Sealer {
            pipeline: pipeline(py, config.clone())?,
            config,
            pickles: OnceLock::new(),
            names: keyring.map(|keyring| keyring.names.clone()),
            raises,
        })))
    }

    /// Whether it has a keyring, so that nothing of a value leaves it readable.
    #[getter]
    fn is_secret(&self) -> bool {
        self.0.names.is_some()
    }

    /// The most bytes that a value may have.
    #[getter]
    fn max_value(&self) -> usize {
        self.0.config.max_value
    }

    /// The envelope of a value without a key: what a store would be given, by the same format and the same seal.
    ///
    /// # Errors
    /// `ValueRefused`, where the format does not take the value.
    fn seal<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        format: &Bound<'py, Format>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (py, format) = (value.py(), format.get());
        let meta = Meta {
            format: format.number(),
            ..Meta::default()
        };
        let raised = |error: Error| errors::raise(py, &error);
        let pipeline = self.0.of(meta.format).map_err(raised)?;
        let draft = pipeline.begin(&meta, Vec::with_capacity(ROOM));
        let mut draft = draft.map_err(raised)?;
        let written = format.encode(value, draft.payload());
        written.map_err(|refused| refused.into_err(py))?;
        let envelope = draft.finish_buffer(&KEYLESS).map_err(raised)?;
        Ok(PyBytes::new(py, &envelope))
    }

    /// The value of an envelope that `seal` made by the same format.
    ///
    /// # Errors
    /// `ValueError`, if it is none.
    fn open<'py>(
        &self,
        envelope: &Bound<'py, PyBytes>,
        format: &Bound<'py, Format>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, format) = (envelope.py(), format.get());
        let unreadable = || {
            PyValueError::new_err(
                "these bytes are no envelope of this codec and format\nhint: open what `seal` made, with the same two",
            )
        };
        let envelope = envelope.as_bytes();
        let opener = self.0.opener(envelope);
        let opened = opener.pipeline.open_here(&KEYLESS, envelope);
        let (meta, payload) = opened.map_err(|_| unreadable())?;
        if opener.allowed(meta.format).is_err() || meta.format != format.number() {
            return Err(unreadable());
        }
        let value = format.decode(py, &payload, None)?;
        value
            .map(|value| value.into_bound(py))
            .map_err(|_| unreadable())
    }

    /// Has what is pickled sealed with a keyring that seals nothing else.
    fn seal_pickles(&self, py: Python<'_>, keyring: &Bound<'_, Keyring>) -> PyResult<()> {
        let config = Config {
            suite: Suite::Mac,
            keyring: Some(Arc::clone(&keyring.get().ring)),
            ..self.0.config.clone()
        };
        // Of several threads that come here at once any may be the first: the key is the same.
        let _ = self.0.pickles.set(pipeline(py, config)?);
        Ok(())
    }
}

fn pipeline(py: Python<'_>, config: Config) -> PyResult<Pipeline> {
    Pipeline::new(config).map_err(|error| errors::raise(py, &error))
}

fn bytes_of(keyword: &str, size: &Bound<'_, PyAny>) -> PyResult<usize> {
    match size_of(keyword, size)? {
        Some(bytes) => Ok(usize::try_from(bytes.get()).unwrap_or(usize::MAX)),
        None => Err(errors::config(
            size.py(),
            &format!("{keyword} is a size, not None"),
            &format!("write `{keyword}=\"16MiB\"`, or leave it out"),
        )),
    }
}

/// Seals and opens envelopes.
pub(crate) struct Sealer {
    pipeline: Pipeline,
    config: Config,
    /// What seals pickles where there is no keyring.
    pickles: OnceLock<Pipeline>,
    names: Option<Names>,
    /// Whether a tampered entry is told of, and no miss.
    raises: bool,
}

impl Sealer {
    /// What names at stores are made with, if they are to say nothing.
    pub(crate) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// The pipeline for values of this format.
    fn of(&self, format: u8) -> Result<&Pipeline, Error> {
        if self.config.keyring.is_some() || format != Number::Pickle.number() {
            return Ok(&self.pipeline);
        }
        self.pickles.get().ok_or_else(|| {
            Error::config(
                "a pickled value has no key to be sealed with",
                "give the cache a keyring, or another format",
            )
        })
    }

    /// Opens something, unless what was found out before stops the whole look: a farther tier's answer would be written over the
    /// evidence.
    fn watched<T>(&self, open: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
        if self.raises && ALARM.get() {
            return Err(Refusal::Tampered);
        }
        let done = open();
        if self.raises && matches!(done, Err(Refusal::Tampered)) {
            ALARM.set(true);
        }
        done
    }

    /// Who opens an envelope: its suite chooses, where there is no keyring.
    fn opener(&self, envelope: &[u8]) -> Opener<'_> {
        if self.config.keyring.is_some() {
            return Opener {
                pipeline: &self.pipeline,
                pickles: None,
            };
        }
        let is_sealed = envelope.get(SUITE) == Some(&Suite::Mac.number());
        let sealed = self.pickles.get().filter(|_| is_sealed);
        Opener {
            pipeline: sealed.unwrap_or(&self.pipeline),
            pickles: Some(is_sealed),
        }
    }
}

/// Who opens an envelope.
struct Opener<'a> {
    pipeline: &'a Pipeline,
    /// Whether what it gives has to be pickled, or must not be; None if it may give anything.
    pickles: Option<bool>,
}

impl Opener<'_> {
    /// Whether it may give this format. That is asked of its answer, so that no choice of the envelope's lets an unpickler see what has
    /// no seal.
    ///
    /// # Errors
    /// `Suite` if it may not.
    fn allowed(&self, format: u8) -> Result<(), Refusal> {
        let is_pickled = format == Number::Pickle.number();
        match self.pickles.is_none_or(|pickles| pickles == is_pickled) {
            true => Ok(()),
            false => Err(Refusal::Suite),
        }
    }
}

impl Seals for Sealer {
    fn seal(&self, binding: &Binding<'_>, meta: &Meta, payload: &[u8]) -> Result<Bytes, Error> {
        self.of(meta.format)?.seal(binding, meta, payload)
    }

    fn open_into(
        &self,
        under: &Under<'_>,
        envelope: &Bytes,
        is_whole: bool,
        opened: &mut Opened,
    ) -> Result<(), Refusal> {
        self.watched(|| {
            let opener = self.opener(envelope);
            opener
                .pipeline
                .open_into(under, envelope, is_whole, opened)?;
            opener.allowed(opened.meta.format)
        })
    }

    fn open_plain(
        &self,
        under: &Under<'_>,
        envelope: &mut Bytes,
        is_whole: bool,
        plain: &mut Plain,
    ) -> Result<bool, Refusal> {
        self.watched(|| {
            let opener = self.opener(envelope);
            let is_plain = opener
                .pipeline
                .open_plain(under, envelope, is_whole, plain)?;
            match is_plain {
                true => opener.allowed(plain.format).map(|()| true),
                false => Ok(false),
            }
        })
    }

    fn carrier(&self) -> Option<&dyn Carrier> {
        self.pipeline.carrier()
    }
}

thread_local! {
    /// Whether what is being asked on this thread has met an entry that was tampered with.
    static ALARM: Cell<bool> = const { Cell::new(false) };
}

/// Forgets what was met before.
pub(super) fn calm() {
    ALARM.set(false);
}

/// Whether a tampered entry was met since.
pub(crate) fn is_alarmed() -> bool {
    ALARM.get()
}

/// Raises if an entry was met that somebody tampered with; it lies there still.
pub(crate) fn check(py: Python<'_>, name: &str) -> PyResult<()> {
    if ALARM.replace(false) {
        return Err(errors::tampered(py, name));
    }
    Ok(())
}

/// The keyring of these keys as the codec has it.
pub(super) fn ring(keys: Vec<everwarm_codec::master::MasterKey>) -> Result<Ring, Error> {
    let mut keys = keys.into_iter();
    match keys.next() {
        Some(primary) => Ring::new(primary, keys),
        None => Ring::parse(""),
    }
}
