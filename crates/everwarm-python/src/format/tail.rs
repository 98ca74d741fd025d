//! Arrays and frames: bytes with a description. What the libraries do with them is done in Python.

use everwarm_codec::format::{Extension, Malformed, Reader};
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PySlice};

use crate::lasting::intern;
use crate::{modules, texts};

use super::decode::{Decoder, Read};
use super::encode::Encoder;
use super::refused::{At, CHOOSE, Of, Refused, Written};

const ARRAYS: &str = "everwarm._format_arrays";
const BUFFERS: &str = "everwarm._format_buffers";
pub(super) const FRAMES: &str = "everwarm._format_frames";

/// Writes an array or a scalar of numpy.
pub(super) fn array<'py>(
    encoder: &mut Encoder<'_, 'py>,
    obj: &Bound<'py, PyAny>,
    extension: Extension,
) -> Written {
    write(encoder, obj, extension, ARRAYS)
}

/// Writes what the standard library has for bytes that are numbers.
pub(super) fn buffer<'py>(
    encoder: &mut Encoder<'_, 'py>,
    obj: &Bound<'py, PyAny>,
    extension: Extension,
) -> Written {
    write(encoder, obj, extension, BUFFERS)
}

/// Writes a frame, a series or a table.
pub(super) fn frame<'py>(
    encoder: &mut Encoder<'_, 'py>,
    obj: &Bound<'py, PyAny>,
    extension: Extension,
) -> Written {
    write(encoder, obj, extension, FRAMES)
}

fn write<'py>(
    encoder: &mut Encoder<'_, 'py>,
    obj: &Bound<'py, PyAny>,
    extension: Extension,
    module: &str,
) -> Written {
    let py = encoder.py;
    let taken = modules::own(py, module)
        .and_then(|module| module.call_method1(intern!(py, "taken"), (extension.number(), obj)));
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => return Err(refused(obj, error)),
    };
    let (said, content): (Bound<'py, PyAny>, PyBuffer<u8>) = taken.extract().of(obj)?;
    let opened = encoder.writer.open(extension);
    encoder.value(&said).at(|| "{description}".to_owned())?;
    match super::raw::unchanging(&content) {
        Some(bytes) => encoder.writer.tail(bytes),
        None => encoder.writer.tail(&content.to_vec(py).of(obj)?),
    }
    encoder.writer.close(opened);
    Ok(())
}

/// The refusal of what the Python side refused: its `Unfit` says why.
pub(super) fn refused(obj: &Bound<'_, PyAny>, error: PyErr) -> Refused {
    let py = obj.py();
    let unfit = modules::own(py, "everwarm._format").and_then(|module| module.getattr("Unfit"));
    match unfit {
        Ok(unfit) if error.is_instance(py, &unfit) => match error.value(py).str() {
            Ok(why) => Refused::new(obj, texts::of(&why), CHOOSE),
            Err(error) => Refused::raised(obj, error),
        },
        _ => Refused::raised(obj, error),
    }
}

/// Reads an array or a frame.
pub(super) fn read<'a, 'py>(
    decoder: &mut Decoder<'a, 'py>,
    extension: Extension,
    bytes: &'a [u8],
    level: usize,
) -> Read<'py> {
    let py = decoder.py;
    let mut reader = Reader::new(bytes);
    let said = decoder.value(&mut reader, level)?;
    let content = reader.tail().map_err(|_| Malformed::Content(extension))?;
    let module = match extension {
        Extension::Array | Extension::Scalar => ARRAYS,
        Extension::View | Extension::Numbers => BUFFERS,
        _ => FRAMES,
    };
    let (content, is_shared) = match decoder.base {
        Some(_) => (in_place(decoder, content)?, true),
        None if module == ARRAYS => (PyByteArray::new(py, content).into_any(), false),
        None => (PyBytes::new(py, content).into_any(), false),
    };
    let made = modules::own(py, module)?.call_method1(
        intern!(py, "made"),
        (extension.number(), said, content, is_shared),
    )?;
    Ok(made)
}

/// A view of an object's buffer through which nothing is changed.
pub(super) fn view<'py>(base: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    PyMemoryView::from(base)?.call_method0(intern!(base.py(), "toreadonly"))
}

/// Part of the bytes as a view of the object that holds them; a copy where there is none.
pub(super) fn in_place<'py>(
    decoder: &Decoder<'_, 'py>,
    content: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    let py = decoder.py;
    let Some(base) = decoder.base else {
        return Ok(PyBytes::new(py, content).into_any());
    };
    let from = content.as_ptr() as usize - decoder.whole.as_ptr() as usize;
    let view = view(base)?;
    let to = from + content.len();
    view.get_item(PySlice::new(py, from as isize, to as isize, 1))
}
