//! From the bytes of typed MessagePack to Python values.
//!
//! No byte is believed: lengths and levels are checked by the codec's `Reader` before anything is made of them, classes are
//! those that are known here, and what constructors refuse is no value.

use everwarm_codec::format::{Content, Extension, MAX_LEVELS, Malformed, Reader, Token};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet,
    PyString, PyTuple,
};

use crate::lasting::intern;
use crate::object::Object;

use super::made;
use super::names::Lent;
use super::plan::Plan;
use super::tail;
use crate::texts;

/// What reading a part may end in.
pub(super) type Read<'py> = Result<Bound<'py, PyAny>, Stop>;

/// Why reading stopped.
pub(super) enum Stop {
    /// The bytes are no value.
    Malformed(Malformed),
    /// A class that is not known here.
    UnknownClass,
    /// A constructor raised.
    Raised(PyErr),
}

/// Why bytes are no value here: a miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// They are not of the format, or their content is none that a constructor takes: what was found.
    Damaged(String),
    /// They hold an instance of a class that nobody announced here.
    UnknownClass,
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl Stop {
    /// Exceptions that constructors raise mean that the bytes are no value; what interrupts or exits goes on.
    pub(super) fn settle(self, py: Python<'_>) -> PyResult<Unreadable> {
        match self {
            Self::UnknownClass => Ok(Unreadable::UnknownClass),
            Self::Malformed(malformed) => Ok(Unreadable::Damaged(malformed.to_string())),
            Self::Raised(error) if !error.is_instance_of::<PyException>(py) => Err(error),
            Self::Raised(error) => {
                let class = texts::class(error.value(py))?;
                Ok(Unreadable::Damaged(format!("reading it raised {class}")))
            }
        }
    }
}

/// Reads one value.
pub(super) struct Decoder<'a, 'py> {
    pub(super) py: Python<'py>,
    pub(super) plan: &'a Plan,
    /// All bytes, and the object that holds them where content may be used in its place.
    pub(super) whole: &'a [u8],
    pub(super) base: Option<&'a Bound<'py, PyAny>>,
    names: Lent,
}

/// The value of `bytes`. If they lie in `base`, which offers them as a buffer, arrays, views and frames stay there.
pub(super) fn decode<'py>(
    py: Python<'py>,
    plan: &Plan,
    bytes: &[u8],
    base: Option<&Bound<'py, PyAny>>,
) -> PyResult<Result<Object, Unreadable>> {
    let mut decoder = Decoder {
        py,
        plan,
        whole: bytes,
        base,
        names: Lent::take(),
    };
    let mut reader = Reader::new(bytes);
    let read = decoder.value(&mut reader, 0).and_then(|value| {
        reader.finish()?;
        Ok(value)
    });
    match read {
        Ok(value) => Ok(Ok(value.into())),
        Err(stop) => stop.settle(py).map(Err),
    }
}

impl<'a, 'py> Decoder<'a, 'py> {
    /// The next value.
    #[inline]
    pub(super) fn value(&mut self, reader: &mut Reader<'a>, level: usize) -> Read<'py> {
        let py = self.py;
        Ok(match reader.token()? {
            Token::None => py.None().into_bound(py),
            Token::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Token::Int(value) => value.into_pyobject(py).map_err(PyErr::from)?.into_any(),
            Token::Uint(value) => value.into_pyobject(py).map_err(PyErr::from)?.into_any(),
            Token::Float(value) => PyFloat::new(py, value).into_any(),
            Token::Text(text) => PyString::from_bytes(py, text)?.into_any(),
            Token::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
            Token::List(count) => {
                let elements = self.elements(reader, count, level + 1)?;
                PyList::new(py, elements)?.into_any()
            }
            Token::Dict(count) => self.dict(reader, count, level + 1)?.into_any(),
            Token::Extension(extension, bytes) => self.extension(extension, bytes, level + 1)?,
        })
    }

    /// So many values. There is room for them: each takes a byte at least, and so many bytes are there.
    fn elements(
        &mut self,
        reader: &mut Reader<'a>,
        count: usize,
        level: usize,
    ) -> Result<Vec<Bound<'py, PyAny>>, Stop> {
        if level > MAX_LEVELS {
            return Err(Malformed::Deep.into());
        }
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(self.value(reader, level)?);
        }
        Ok(elements)
    }

    fn dict(
        &mut self,
        reader: &mut Reader<'a>,
        count: usize,
        level: usize,
    ) -> Result<Bound<'py, PyDict>, Stop> {
        if level > MAX_LEVELS {
            return Err(Malformed::Deep.into());
        }
        let dict = PyDict::new(self.py);
        for _ in 0..count {
            let mut ahead = reader.clone();
            let key = if let Token::Text(text) = ahead.token()? {
                *reader = ahead;
                self.names.text(self.py, text)?.into_any()
            } else {
                self.value(reader, level)?
            };
            let value = self.value(reader, level)?;
            dict.set_item(key, value)?;
        }
        if dict.len() == count {
            Ok(dict)
        } else {
            Err(Malformed::Twice.into())
        }
    }

    fn extension(&mut self, extension: Extension, bytes: &'a [u8], level: usize) -> Read<'py> {
        if level > MAX_LEVELS {
            return Err(Malformed::Deep.into());
        }
        match extension.content() {
            Content::Raw => self.raw(extension, bytes),
            Content::Tail => tail::read(self, extension, bytes, level),
            Content::One => {
                let mut reader = Reader::new(bytes);
                let value = self.one(extension, &mut reader, level)?;
                reader.finish()?;
                Ok(value)
            }
        }
    }

    fn raw(&self, extension: Extension, bytes: &[u8]) -> Read<'py> {
        let py = self.py;
        let wrong = Malformed::Content(extension);
        if !extension.takes(bytes) {
            return Err(wrong.into());
        }
        Ok(match extension {
            Extension::Int => {
                let options = pyo3::types::IntoPyDict::into_py_dict([("signed", true)], py)?;
                py.get_type::<PyInt>().call_method(
                    intern!(py, "from_bytes"),
                    (PyBytes::new(py, bytes), "little"),
                    Some(&options),
                )?
            }
            Extension::ByteArray => PyByteArray::new(py, bytes).into_any(),
            Extension::Complex => {
                let part = |at: usize| {
                    let bytes = bytes[at..].first_chunk().copied().unwrap_or_default();
                    f64::from_bits(u64::from_be_bytes(bytes))
                };
                PyComplex::from_doubles(py, part(0), part(8)).into_any()
            }
            Extension::Surrogates => {
                let decode = intern!(py, "decode");
                PyBytes::new(py, bytes).call_method1(decode, ("utf-8", "surrogatepass"))?
            }
            Extension::Decimal => made::decimal(py, bytes)?,
            Extension::Uuid => made::uuid(py, bytes)?,
            _ => return Err(wrong.into()),
        })
    }

    /// What an extension of one value holds.
    fn one(&mut self, extension: Extension, reader: &mut Reader<'a>, level: usize) -> Read<'py> {
        let py = self.py;
        match extension {
            Extension::Tuple => {
                let elements = self.list(extension, reader, level + 1)?;
                Ok(PyTuple::new(py, elements)?.into_any())
            }
            Extension::Set | Extension::FrozenSet => {
                let elements = self.list(extension, reader, level + 1)?;
                let count = elements.len();
                let set = if extension == Extension::Set {
                    PySet::new(py, elements)?.into_any()
                } else {
                    PyFrozenSet::new(py, elements)?.into_any()
                };
                if set.len()? != count {
                    return Err(Malformed::Twice.into());
                }
                Ok(set)
            }
            Extension::OrderedDict | Extension::Counter => match reader.token()? {
                Token::Dict(count) => {
                    let dict = self.dict(reader, count, level + 1)?;
                    Ok(made::mapping(extension, &dict)?)
                }
                _ => Err(Malformed::Content(extension).into()),
            },
            Extension::Record => self.record(reader, level + 1),
            Extension::Member | Extension::Flags => {
                let class = self.class_ahead(extension, reader, 2)?;
                let value = self.value(reader, level + 1)?;
                if extension == Extension::Member {
                    class.read_member(&value)
                } else {
                    class.read_flags(&value)
                }
            }
            Extension::Zone => {
                let key = self.value(reader, level)?;
                made::zone(&key)
            }
            _ => {
                let parts = self.list(extension, reader, level + 1)?;
                made::of_parts(py, extension, &parts)
            }
        }
    }

    fn list(
        &mut self,
        extension: Extension,
        reader: &mut Reader<'a>,
        level: usize,
    ) -> Result<Vec<Bound<'py, PyAny>>, Stop> {
        match reader.token()? {
            Token::List(count) => self.elements(reader, count, level),
            _ => Err(Malformed::Content(extension).into()),
        }
    }

    /// The class that the list begins with, if it has so many parts.
    fn class_ahead(
        &self,
        extension: Extension,
        reader: &mut Reader<'a>,
        parts: usize,
    ) -> Result<std::sync::Arc<super::class::Class>, Stop> {
        let (Token::List(count), Token::Text(name)) = (reader.token()?, reader.token()?) else {
            return Err(Malformed::Content(extension).into());
        };
        if count != parts {
            return Err(Malformed::Content(extension).into());
        }
        let name = std::str::from_utf8(name).map_err(|_| Malformed::Text)?;
        self.plan.class_named(name).ok_or(Stop::UnknownClass)
    }

    fn record(&mut self, reader: &mut Reader<'a>, level: usize) -> Read<'py> {
        let wrong = Malformed::Content(Extension::Record);
        let class = self.class_ahead(Extension::Record, reader, 2)?;
        let Token::Dict(count) = reader.token()? else {
            return Err(wrong.into());
        };
        if level + 1 > MAX_LEVELS {
            return Err(Malformed::Deep.into());
        }
        let mut given = Vec::with_capacity(count);
        for _ in 0..count {
            let Token::Text(name) = reader.token()? else {
                return Err(wrong.into());
            };
            given.push((name, self.value(reader, level + 1)?));
        }
        class.rebuild(self.py, given)
    }
}
