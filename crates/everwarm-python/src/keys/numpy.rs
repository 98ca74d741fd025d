//! Arrays, scalars and dtypes of numpy, by content.

use everwarm_core::key::{Writer, tag::known};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::lasting::intern;
use crate::texts;

use super::classes::derives;
use super::exact;
use super::refusal::{At, CHOOSE, DECLARE, Encoded, Of, Stop};
use super::shape::Shape;
use super::walk::{encode, single, values};

/// Numbers of dtypes: up to here they are numpy's own and of one width.
const LAST_OWN: i64 = 23;
/// Of those, the ones whose bytes hold padding.
const LONG_DOUBLES: [i64; 2] = [13, 16];
/// Of those, references to Python objects.
const OBJECT: i64 = 17;

/// The shape of a type of numpy.
pub(super) fn find(class: &Bound<'_, PyType>) -> Result<Option<Shape>, Stop> {
    if exact::static_name(class) == Some(c"numpy.ndarray") {
        return Ok(Some(Shape::Known(array)));
    }
    if derives(class, "numpy", "ndarray")? {
        return Ok(Some(Shape::Refused(
            "it is a subclass of `numpy.ndarray`".to_owned(),
            DECLARE,
        )));
    }
    if derives(class, "numpy", "generic")? && exact::static_name(class).is_some() {
        return Ok(Some(Shape::Known(scalar)));
    }
    Ok(derives(class, "numpy", "dtype")?.then_some(Shape::Known(dtype)))
}

/// What the elements of a dtype are.
enum Elements<'py> {
    /// Bytes that say all; with the dtype's text.
    Plain(Bound<'py, PyAny>),
    /// Python objects.
    Objects,
    /// Named fields.
    Fields(Bound<'py, PyTuple>),
}

fn elements_of<'py>(
    obj: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
) -> Result<Elements<'py>, Stop> {
    let names = dtype.getattr(intern!(obj.py(), "names"))?;
    if let Ok(names) = names.cast_into_exact::<PyTuple>() {
        return Ok(Elements::Fields(names));
    }
    match dtype.getattr(intern!(obj.py(), "num"))?.extract()? {
        OBJECT => Ok(Elements::Objects),
        number if number > LAST_OWN => Err(Stop::refuse(
            obj,
            "its dtype is not one of numpy's plain ones",
            CHOOSE,
        )),
        number if LONG_DOUBLES.contains(&number) => Err(Stop::refuse(
            obj,
            "the bytes of a long double hold padding",
            CHOOSE,
        )),
        _ => Ok(Elements::Plain(dtype.getattr(intern!(obj.py(), "str"))?)),
    }
}

fn array(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    let py = obj.py();
    let elements = elements_of(obj, &obj.getattr(intern!(py, "dtype"))?)?;
    let shape = obj.getattr(intern!(py, "shape"))?;
    match elements {
        Elements::Plain(text) => {
            let bytes = obj.call_method0(intern!(py, "tobytes"))?;
            values(obj, known::NDARRAY, &[text, shape, bytes], writer)
        }
        Elements::Objects => {
            let objects = obj
                .call_method0(intern!(py, "ravel"))?
                .call_method0(intern!(py, "tolist"))?;
            values(
                obj,
                known::NDARRAY,
                &[PyString::new(py, "|O").into_any(), shape, objects],
                writer,
            )
        }
        Elements::Fields(names) => fields(obj, known::NDARRAY, Some(shape), &names, writer),
    }
}

fn scalar(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    match elements_of(obj, &obj.getattr(intern!(obj.py(), "dtype"))?)? {
        Elements::Plain(text) => {
            let bytes = obj.call_method0(intern!(obj.py(), "tobytes"))?;
            values(obj, known::NUMPY_SCALAR, &[text, bytes], writer)
        }
        Elements::Objects => Err(Stop::refuse(obj, "its dtype is object", CHOOSE)),
        Elements::Fields(names) => fields(obj, known::NUMPY_SCALAR, None, &names, writer),
    }
}

/// Structured content: field by field, so that padding between them is no part of it.
fn fields(
    obj: &Bound<'_, PyAny>,
    number: u8,
    shape: Option<Bound<'_, PyAny>>,
    names: &Bound<'_, PyTuple>,
    writer: &mut Writer,
) -> Encoded {
    writer.open_known(number).of(obj)?;
    writer
        .open_tuple(2 + usize::from(shape.is_some()))
        .of(obj)?;
    writer.str("|V");
    if let Some(shape) = shape {
        encode(&shape, writer)?;
    }
    writer.open_tuple(names.len()).of(obj)?;
    for name in names.iter() {
        writer.open_tuple(2).of(obj)?;
        encode(&name, writer)?;
        let field = || {
            let name = name.cast::<PyString>();
            format!("[{}]", name.map_or_else(|_| "?".to_owned(), texts::of))
        };
        encode(&obj.get_item(&name)?, writer).at(field)?;
        writer.close();
    }
    writer.close();
    writer.close();
    writer.close();
    Ok(())
}

fn dtype(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> Encoded {
    if !obj.getattr(intern!(obj.py(), "subdtype"))?.is_none() {
        return Err(Stop::refuse(
            obj,
            "it is that of a part of an array",
            CHOOSE,
        ));
    }
    match elements_of(obj, obj)? {
        Elements::Plain(text) => single(obj, known::NUMPY_DTYPE, &text, writer),
        Elements::Objects => single(
            obj,
            known::NUMPY_DTYPE,
            &PyString::new(obj.py(), "|O"),
            writer,
        ),
        Elements::Fields(_) => Err(Stop::refuse(obj, "it is structured", CHOOSE)),
    }
}
