//! How the values of one function become bytes and come back: its format, and the classes that it may rebuild.

use std::sync::Arc;

use everwarm_codec::format::{Beyond, Format};
use everwarm_core::store::Bytes;
use parking_lot::RwLock;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};

use crate::object::Object;
use crate::{errors, texts};

use super::class::{Class, name_of};
use super::classes::Classes;
use super::decode::{self, Unreadable};
use super::encode;
use super::items;
use super::json;
use super::raw::Payload;
use super::refused::{CHOOSE, Of, Refused, Written};
use super::tail;

/// What a value may weigh in bytes, where nothing else is said.
const LIMIT: usize = 16 << 20;

/// Of payloads of so many bytes parts are used in their place.
const IN_PLACE: usize = 64 << 10;

/// Classes that were announced for every function. They are held for good.
static REGISTERED: RwLock<Option<Classes>> = RwLock::new(None);

/// The format of a function, and the classes that its annotation names.
#[pyclass(frozen, name = "Format", module = "everwarm._native")]
pub(crate) struct Plan {
    format: Format,
    name: String,
    /// The callables of a format that Python does: to bytes, and back.
    ways: Option<(Py<PyAny>, Py<PyAny>)>,
    classes: Classes,
    limit: usize,
    /// The class of what generators have yielded, if the values are of that.
    items: Option<Py<PyType>>,
}

#[pymethods]
impl Plan {
    /// A format by name, or by callables where it is done in Python, with the classes that may be rebuilt; those among them
    /// that cannot be stored are left out. Values of the class `items` are what generators have yielded and returned.
    #[new]
    #[pyo3(signature = (name, ways = None, classes = None, limit = None, items = None))]
    fn new(
        py: Python<'_>,
        name: String,
        ways: Option<(Py<PyAny>, Py<PyAny>)>,
        classes: Option<Vec<Bound<'_, PyType>>>,
        limit: Option<usize>,
        items: Option<Py<PyType>>,
    ) -> PyResult<Self> {
        let format = Format::named(&name).unwrap_or_else(|| Format::custom(&name));
        let mut known = Classes::default();
        for class in classes.unwrap_or_default() {
            if let Ok(found) = Class::of(&class)? {
                known
                    .add(found, class.as_type_ptr() as usize)
                    .map_err(|first| same_name(py, &first, &class))?;
            }
        }
        Ok(Self {
            format,
            name,
            ways,
            classes: known,
            limit: limit.unwrap_or(LIMIT),
            items,
        })
    }

    /// What users call it.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// The number that envelopes carry.
    #[getter]
    pub(crate) fn number(&self) -> u8 {
        self.format.number()
    }

    /// Whether reading its bytes can run code that whoever wrote them chose.
    #[getter]
    pub(crate) fn needs_authentication(&self) -> bool {
        self.format.needs_authentication()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some((dumps, loads)) = &self.ways {
            visit.call(dumps)?;
            visit.call(loads)?;
        }
        visit.call(&self.items)?;
        self.classes
            .iter()
            .try_for_each(|class| visit.call(class.class()))
    }
}

impl Plan {
    /// Appends the bytes of a value; where it is refused nothing is appended.
    pub(crate) fn encode(
        &self,
        value: &Bound<'_, PyAny>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let whole = items::written(self.items.as_ref(), value).of(value)?;
        let value = whole.as_ref().unwrap_or(value);
        match (self.format, &self.ways) {
            (Format::Json, _) => json::encode(value, out, self.limit),
            (_, Some((dumps, _))) => self.dump(dumps.bind(value.py()), value, out),
            (_, None) => encode::encode(value, self, out, self.limit),
        }
    }

    fn dump(
        &self,
        dumps: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        out: &mut Vec<u8>,
    ) -> Written {
        let made = dumps
            .call1((value,))
            .map_err(|error| tail::refused(value, error))?;
        let Ok(bytes) = made.cast::<PyBytes>() else {
            let class = texts::class(&made).of(value)?;
            let why = format!("`dumps` gave `{class}` instead of bytes");
            return Err(Refused::new(value, why, "let `dumps` return bytes"));
        };
        let bytes = bytes.as_bytes();
        if bytes.len() > self.limit {
            return Err(encode::too_large(value, Beyond { limit: self.limit }));
        }
        out.extend_from_slice(bytes);
        Ok(())
    }

    /// The value of these bytes, or why they are none here. What lies in `base`, an object that offers exactly these bytes
    /// as a buffer, is used in its place where that is possible.
    ///
    /// # Errors
    /// What interrupts or exits, raised meanwhile.
    pub(crate) fn decode(
        &self,
        py: Python<'_>,
        bytes: &[u8],
        base: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Result<Object, Unreadable>> {
        let read = self.read(py, bytes, base)?;
        match (&self.items, read) {
            (Some(class), Ok(value)) => items::read(class.bind(py), value.bind(py)),
            (_, read) => Ok(read),
        }
    }

    fn read(
        &self,
        py: Python<'_>,
        bytes: &[u8],
        base: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Result<Object, Unreadable>> {
        let Some((_, loads)) = &self.ways else {
            return decode::decode(py, self, bytes, base);
        };
        let given = match (self.format, base) {
            (Format::Arrow, Some(base)) => tail::view(base)?,
            _ => PyBytes::new(py, bytes).into_any(),
        };
        match loads.bind(py).call1((given,)) {
            Ok(value) => Ok(Ok(value.into())),
            Err(error) => decode::Stop::from(error).settle(py).map(Err),
        }
    }

    /// The value of a payload from a store. Where that is long, what can lie in its place does, and holds it.
    ///
    /// # Errors
    /// What interrupts or exits, raised meanwhile.
    pub(crate) fn decode_payload(
        &self,
        py: Python<'_>,
        payload: &Bytes,
    ) -> PyResult<Result<Object, Unreadable>> {
        if payload.len() < IN_PLACE {
            return self.decode(py, payload, None);
        }
        let base = Bound::new(py, Payload(payload.clone()))?.into_any();
        self.decode(py, payload, Some(&base))
    }

    /// How instances of a class are stored, if it may be rebuilt.
    pub(super) fn class_of(&self, class: &Bound<'_, PyType>) -> Option<Arc<Class>> {
        let address = class.as_type_ptr() as usize;
        self.classes.find(address).cloned().or_else(|| {
            REGISTERED
                .read()
                .as_ref()
                .and_then(|classes| classes.find(address).cloned())
        })
    }

    /// The class that the bytes call so, if it may be rebuilt.
    pub(super) fn class_named(&self, name: &str) -> Option<Arc<Class>> {
        self.classes.named(name).cloned().or_else(|| {
            REGISTERED
                .read()
                .as_ref()
                .and_then(|classes| classes.named(name).cloned())
        })
    }
}

fn same_name(py: Python<'_>, first: &Class, second: &Bound<'_, PyType>) -> PyErr {
    let message = format!(
        "two classes are called \"{}\" in stored values: {:?} and {second:?}",
        first.name(),
        first.class().bind(py),
    );
    errors::config(
        py,
        &message,
        "give one of them a `__cache_name__` of its own",
    )
}

/// Announces a class whose instances may be rebuilt from stored bytes, for every function.
#[pyfunction]
pub(super) fn register_class(class: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = class.py();
    let Ok(class) = class.cast::<PyType>() else {
        let message = format!("`register` takes classes, not {}", texts::class(class)?);
        return Err(errors::config(
            py,
            &message,
            "call it with the class itself",
        ));
    };
    let found = Class::of(class)?.map_err(|unfit| {
        let name = name_of(class).unwrap_or_default();
        errors::config(
            py,
            &format!("instances of `{name}` cannot be stored: {unfit}"),
            CHOOSE,
        )
    })?;
    let added = REGISTERED
        .write()
        .get_or_insert_default()
        .add(found, class.as_type_ptr() as usize);
    added.map_err(|first| same_name(py, &first, class))
}

/// The name that stored values give a class.
#[pyfunction]
pub(super) fn class_name<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyString>> {
    Ok(PyString::new(class.py(), &name_of(class)?))
}
