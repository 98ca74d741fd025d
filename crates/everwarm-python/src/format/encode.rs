//! From Python values to the bytes of typed MessagePack.
//!
//! Runs attached and with no lock held. Scalars and containers that are exactly built-in come first, then classes that are
//! known here, then types that the specification lists (`library`).

use everwarm_codec::format::{Beyond, Extension, MAX_DEPTH, Writer};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyRange,
    PySet, PyString, PyTuple,
};

use crate::lasting::intern;

use super::class::Class;
use super::library;
use super::plan::Plan;
use super::raw;
use super::refused::{ANNOUNCE, At, CHOOSE, Of, Refused, Written, step};

/// Writes one value.
pub(super) struct Encoder<'a, 'py> {
    pub(super) py: Python<'py>,
    pub(super) writer: Writer<'a>,
    plan: &'a Plan,
    depth: usize,
}

/// Room that is made ahead: enough for most small values, which would else grow step by step.
const ROOM: usize = 512;

/// Appends the bytes of `obj`.
pub(super) fn encode(
    obj: &Bound<'_, PyAny>,
    plan: &Plan,
    out: &mut Vec<u8>,
    limit: usize,
) -> Written {
    let start = out.len();
    out.reserve(ROOM);
    let mut encoder = Encoder {
        py: obj.py(),
        writer: Writer::new(out, limit),
        plan,
        depth: 0,
    };
    let written = encoder.value(obj);
    let finished = encoder.writer.finish();
    if written.is_err() {
        out.truncate(start);
    }
    written?;
    finished.map_err(|beyond| too_large(obj, beyond))
}

/// Refuses what is larger than a value may be.
pub(super) fn too_large(obj: &Bound<'_, PyAny>, beyond: Beyond) -> Refused {
    Refused::new(
        obj,
        format!("its bytes are {beyond}"),
        "raise `max_value=` of the cache, return less at once, or store a reference to it",
    )
}

impl<'py> Encoder<'_, 'py> {
    /// Writes any value.
    #[inline]
    pub(super) fn value(&mut self, obj: &Bound<'py, PyAny>) -> Written {
        if let Ok(text) = obj.cast_exact::<PyString>() {
            self.text(text)
        } else if let Ok(int) = obj.cast_exact::<PyInt>() {
            self.int(int)
        } else if obj.is_none() {
            self.writer.none();
            Ok(())
        } else if let Ok(value) = obj.cast_exact::<PyBool>() {
            self.writer.bool(value.is_true());
            Ok(())
        } else if let Ok(value) = obj.cast_exact::<PyFloat>() {
            self.writer.float(value.value());
            Ok(())
        } else if let Ok(bytes) = obj.cast_exact::<PyBytes>() {
            self.writer.bytes(bytes.as_bytes());
            Ok(())
        } else {
            self.compound(obj)
        }
    }

    /// Writes what has parts, one level deeper.
    fn compound(&mut self, obj: &Bound<'py, PyAny>) -> Written {
        if self.depth == MAX_DEPTH {
            let why = format!("it is nested more than {MAX_DEPTH} levels deep, or contains itself");
            return Err(Refused::new(obj, why, CHOOSE));
        }
        // What is contained often in what is contained often grows without end; it need not be written to its end.
        if self.writer.is_beyond() {
            return Ok(());
        }
        self.depth += 1;
        let written = if let Ok(dict) = obj.cast_exact::<PyDict>() {
            self.dict(dict)
        } else if let Ok(list) = obj.cast_exact::<PyList>() {
            self.list(list)
        } else if let Ok(tuple) = obj.cast_exact::<PyTuple>() {
            self.tuple(tuple)
        } else {
            self.rare(obj)
        };
        self.depth -= 1;
        written
    }

    fn rare(&mut self, obj: &Bound<'py, PyAny>) -> Written {
        if obj.is_exact_instance_of::<PySet>() {
            self.set(obj, Extension::Set)
        } else if obj.is_exact_instance_of::<PyFrozenSet>() {
            self.set(obj, Extension::FrozenSet)
        } else if let Ok(bytes) = obj.cast_exact::<PyByteArray>() {
            self.writer.raw(Extension::ByteArray, &bytes.to_vec());
            Ok(())
        } else if let Ok(value) = obj.cast_exact::<PyComplex>() {
            let parts = [value.real(), value.imag()].map(|part| part.to_bits().to_be_bytes());
            self.writer.raw(Extension::Complex, parts.as_flattened());
            Ok(())
        } else if obj.is_exact_instance_of::<PyRange>() {
            self.attributes(obj, Extension::Range, &["start", "stop", "step"])
        } else {
            self.other(obj)
        }
    }

    fn other(&mut self, obj: &Bound<'py, PyAny>) -> Written {
        let class = obj.get_type();
        if let Some(known) = self.plan.class_of(&class) {
            return known.write(self, obj);
        }
        if let Some(write) = library::writer_of(&class).of(obj)? {
            return write(self, obj);
        }
        Err(match Class::of(&class).of(obj)? {
            Ok(_) => Refused::new(obj, "its class is not known to who reads it", ANNOUNCE),
            Err(unfit) => Refused::new(obj, unfit, CHOOSE),
        })
    }

    /// Writes an exact str.
    #[inline]
    pub(super) fn text(&mut self, text: &Bound<'py, PyString>) -> Written {
        if let Some(ascii) = raw::ascii(text) {
            self.writer.text(ascii);
            return Ok(());
        }
        let (utf8, surrogates) = raw::text(text).of(text)?;
        if surrogates {
            self.writer.raw(Extension::Surrogates, &utf8);
        } else {
            self.writer.text(&utf8);
        }
        Ok(())
    }

    #[inline]
    fn int(&mut self, int: &Bound<'py, PyInt>) -> Written {
        if let Ok(value) = int.extract::<i64>() {
            self.writer.int(value);
            return Ok(());
        }
        self.large_int(int).of(int)
    }

    #[cold]
    fn large_int(&mut self, int: &Bound<'py, PyInt>) -> PyResult<()> {
        if let Ok(value) = int.extract::<u64>() {
            self.writer.uint(value);
            return Ok(());
        }
        let bits: usize = int
            .call_method0(intern!(self.py, "bit_length"))?
            .extract()?;
        let options = pyo3::types::IntoPyDict::into_py_dict([("signed", true)], self.py)?;
        let bytes = int.call_method(
            intern!(self.py, "to_bytes"),
            (bits / 8 + 1, "little"),
            Some(&options),
        )?;
        self.writer.big_int(bytes.cast::<PyBytes>()?.as_bytes());
        Ok(())
    }

    /// Writes the pairs of a dict, or of a subclass that keeps nothing beside them.
    pub(super) fn dict(&mut self, dict: &Bound<'py, PyDict>) -> Written {
        let count = dict.len();
        self.writer.dict(count);
        let mut written = 0;
        for (key, value) in raw::pairs(dict) {
            match key.cast_exact::<PyString>() {
                Ok(key) => self.text(key)?,
                Err(_) => self.value(&key).at(|| "{key}".to_owned())?,
            }
            self.value(&value).at(|| step(&key))?;
            written += 1;
        }
        if written != count || dict.len() != count {
            return Err(Refused::changed(dict));
        }
        Ok(())
    }

    /// Writes an exact list.
    pub(super) fn list(&mut self, list: &Bound<'py, PyList>) -> Written {
        let count = list.len();
        self.writer.list(count);
        let mut written = 0;
        for item in list.iter().take(count) {
            self.value(&item).at(|| format!("[{written}]"))?;
            written += 1;
        }
        if written != count || list.len() != count {
            return Err(Refused::changed(list));
        }
        Ok(())
    }

    fn tuple(&mut self, tuple: &Bound<'py, PyTuple>) -> Written {
        let opened = self.writer.open(Extension::Tuple);
        self.writer.list(tuple.len());
        for (at, item) in tuple.iter_borrowed().enumerate() {
            self.value(&item).at(|| format!("[{at}]"))?;
        }
        self.writer.close(opened);
        Ok(())
    }

    fn set(&mut self, obj: &Bound<'py, PyAny>, extension: Extension) -> Written {
        let elements = self.elements(obj)?;
        let opened = self.writer.open(extension);
        self.writer.list(elements.len());
        for element in &elements {
            self.value(element).at(|| "{element}".to_owned())?;
        }
        self.writer.close(opened);
        Ok(())
    }

    /// The elements of a container, held.
    pub(super) fn elements(
        &self,
        obj: &Bound<'py, PyAny>,
    ) -> Result<Vec<Bound<'py, PyAny>>, Refused> {
        let count = obj.len().of(obj)?;
        let elements: PyResult<Vec<_>> = obj.try_iter().and_then(Iterator::collect);
        let elements = elements.map_err(|_| Refused::changed(obj))?;
        if elements.len() != count {
            return Err(Refused::changed(obj));
        }
        Ok(elements)
    }

    /// Writes an extension as the list of some attributes.
    pub(super) fn attributes(
        &mut self,
        obj: &Bound<'py, PyAny>,
        extension: Extension,
        names: &[&str],
    ) -> Written {
        let opened = self.writer.open(extension);
        self.writer.list(names.len());
        for name in names {
            let value = obj.getattr(*name).of(obj)?;
            self.value(&value).at(|| format!(".{name}"))?;
        }
        self.writer.close(opened);
        Ok(())
    }

    /// Writes an extension as one value.
    pub(super) fn single(&mut self, extension: Extension, value: &Bound<'py, PyAny>) -> Written {
        let opened = self.writer.open(extension);
        self.value(value)?;
        self.writer.close(opened);
        Ok(())
    }
}
