//! Any object: exact scalars, then exact containers, then the shape of its class.

use everwarm_core::key::{Writer, tag::known};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyComplex, PyDict, PyEllipsis, PyFrozenSet, PyIterator, PyList, PyMemoryView,
    PyRange, PySet, PySlice, PyTuple, PyType,
};

use super::exact::{pairs, try_exact_bound};
use super::refusal::{At, CHOOSE, Encoded, Of, Stop};
use super::{classes, shape};

/// Formats of single numbers, as the module `struct` writes them.
const NUMBERS: &str = "cbB?hHiIlLqQnNefd";

/// Writes any object.
#[inline]
pub(super) fn encode(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    if try_exact_bound(obj, writer) {
        Ok(())
    } else {
        encode_compound(obj, writer)
    }
}

fn encode_compound(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    if let Ok(tuple) = obj.cast_exact::<PyTuple>() {
        tuple_content(tuple, writer)
    } else if let Ok(list) = obj.cast_exact::<PyList>() {
        list_content(list, writer)
    } else if let Ok(dict) = obj.cast_exact::<PyDict>() {
        dict_content(dict, writer)
    } else if let Ok(set) = obj.cast_exact::<PySet>() {
        writer.open_set(set.len()).of(obj)?;
        set_content(obj, set.len(), writer)
    } else if let Ok(set) = obj.cast_exact::<PyFrozenSet>() {
        writer.open_frozenset(set.len()).of(obj)?;
        set_content(obj, set.len(), writer)
    } else {
        encode_rare(obj, writer)
    }
}

fn encode_rare(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    if let Ok(class) = obj.cast::<PyType>() {
        classes::encode_class(class, writer)
    } else if let Ok(value) = obj.cast_exact::<PyComplex>() {
        writer.complex(value.real(), value.imag());
        Ok(())
    } else if let Ok(bytes) = obj.cast_exact::<PyByteArray>() {
        writer.bytearray(&bytes.to_vec());
        Ok(())
    } else if obj.is_exact_instance_of::<PyEllipsis>() {
        writer.ellipsis();
        Ok(())
    } else if obj.is_exact_instance_of::<PyRange>() {
        fields(obj, known::RANGE, &["start", "stop", "step"], writer)
    } else if obj.is_exact_instance_of::<PySlice>() {
        fields(obj, known::SLICE, &["start", "stop", "step"], writer)
    } else if obj.is_exact_instance_of::<PyMemoryView>() {
        view_content(obj, writer)
    } else {
        shape::encode(obj, writer)
    }
}

/// A view, if its format says that its bytes are numbers: others hold addresses or padding.
fn view_content(view: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let format = view.getattr("format")?;
    let text: String = format.extract()?;
    if !matches!(text.trim_start_matches(['@', '=', '<', '>', '!']), number if number.len() == 1 && NUMBERS.contains(number))
    {
        return Err(Stop::refuse(
            view,
            "its format is not that of one number",
            CHOOSE,
        ));
    }
    let content = [
        format,
        view.getattr("shape")?,
        view.call_method0("tobytes")?,
    ];
    values(view, known::MEMORYVIEW, &content, writer)
}

fn tuple_content(tuple: &Bound<'_, PyTuple>, writer: &mut Writer) -> Encoded {
    writer.open_tuple(tuple.len()).of(tuple)?;
    for (at, item) in tuple.iter_borrowed().enumerate() {
        encode(&item, writer).at(|| format!("[{at}]"))?;
    }
    writer.close();
    Ok(())
}

fn list_content(list: &Bound<'_, PyList>, writer: &mut Writer) -> Encoded {
    let count = list.len();
    writer.open_list(count).of(list)?;
    for at in 0..count {
        let item = list.get_item(at).map_err(|_| Stop::changed(list))?;
        encode(&item, writer).at(|| format!("[{at}]"))?;
    }
    if list.len() != count {
        return Err(Stop::changed(list));
    }
    writer.close();
    Ok(())
}

/// Writes an exact dict.
pub(super) fn dict_content(dict: &Bound<'_, PyDict>, writer: &mut Writer) -> Encoded {
    let pairs = pairs(dict);
    writer.open_dict(pairs.len()).of(dict)?;
    for (key, value) in &pairs {
        encode(key, writer).at(|| "{key}".to_owned())?;
        encode(value, writer).at(|| "{value}".to_owned())?;
        writer.part();
    }
    if dict.len() != pairs.len() {
        return Err(Stop::changed(dict));
    }
    writer.close_sorted();
    Ok(())
}

fn set_content(obj: &Bound<'_, PyAny>, count: usize, writer: &mut Writer) -> Encoded {
    for item in elements(obj)? {
        encode(&item, writer).at(|| "{element}".to_owned())?;
        writer.part();
    }
    if obj.len()? != count {
        return Err(Stop::changed(obj));
    }
    writer.close_sorted();
    Ok(())
}

/// The elements of a container, held.
pub(super) fn elements<'py>(obj: &Bound<'py, PyAny>) -> Result<Vec<Bound<'py, PyAny>>, Stop> {
    let elements: PyResult<Vec<_>> = PyIterator::from_object(obj)?.collect();
    elements.map_err(|error| {
        // Recursion errors are runtime errors too, and the user's.
        let changed = error
            .get_type(obj.py())
            .is(obj.py().get_type::<PyRuntimeError>());
        if changed {
            Stop::changed(obj)
        } else {
            Stop::Raised(error)
        }
    })
}

/// Writes a known type as the tuple of some of its attributes.
pub(super) fn fields(
    obj: &Bound<'_, PyAny>,
    number: u8,
    names: &[&str],
    writer: &mut Writer,
) -> Encoded {
    writer.open_known(number).of(obj)?;
    writer.open_tuple(names.len()).of(obj)?;
    for name in names {
        encode(&obj.getattr(*name)?, writer).at(|| format!(".{name}"))?;
    }
    writer.close();
    writer.close();
    Ok(())
}

/// Writes a known type as a tuple of values.
pub(super) fn values(
    obj: &Bound<'_, PyAny>,
    number: u8,
    values: &[Bound<'_, PyAny>],
    writer: &mut Writer,
) -> Encoded {
    writer.open_known(number).of(obj)?;
    writer.open_tuple(values.len()).of(obj)?;
    for value in values {
        encode(value, writer)?;
    }
    writer.close();
    writer.close();
    Ok(())
}

/// Writes a known type as one value.
pub(super) fn single(
    obj: &Bound<'_, PyAny>,
    number: u8,
    value: &Bound<'_, PyAny>,
    writer: &mut Writer,
) -> Encoded {
    writer.open_known(number).of(obj)?;
    encode(value, writer)?;
    writer.close();
    Ok(())
}
