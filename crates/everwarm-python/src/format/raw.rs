//! What the interpreter keeps in its objects, read and written without asking it, and bytes of ours that it reads in their place:
//! the only file of the room with `unsafe`.

use std::borrow::Cow;
use std::ffi::c_int;

use everwarm_core::store::Bytes;
use pyo3::buffer::PyBuffer;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyString};

/// Bytes that came from a store, for Python to read where they lie: nobody can write through the buffer.
#[pyclass(frozen, module = "everwarm._native")]
pub(super) struct Payload(pub(super) Bytes);

#[pymethods]
impl Payload {
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = &slf.get().0;
        let (start, len) = (bytes.as_ptr().cast_mut().cast(), bytes.len().cast_signed());
        // SAFETY: the interpreter gives a view to be filled. The bytes never change nor move, and live as long as this object, which
        // the view holds; the view says that they may not be written.
        match unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, len, 1, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// The characters of a str that are all ASCII, if the interpreter knows that they are.
#[inline]
pub(super) fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    let obj = text.as_ptr();
    // SAFETY: such a str has its characters behind its head, one byte each, as many as its length says; it never changes, and
    // is alive as long as what is borrowed from it.
    unsafe {
        (ffi::PyUnicode_IS_COMPACT_ASCII(obj) != 0).then(|| {
            let len = ffi::PyUnicode_GET_LENGTH(obj).cast_unsigned();
            std::slice::from_raw_parts(ffi::PyUnicode_DATA(obj).cast::<u8>(), len)
        })
    }
}

/// The characters of a str as generalized UTF-8, and whether surrogates are among them.
///
/// The interpreter's own encoder would keep a copy in the object for as long as it lives.
pub(super) fn text<'a>(text: &'a Bound<'_, PyString>) -> PyResult<(Cow<'a, [u8]>, bool)> {
    let obj = text.as_ptr();
    // SAFETY: the kind says how wide the characters at the data are, the length how many; a str never changes, and this one
    // is alive as long as what is borrowed from it.
    unsafe {
        #[cfg(not(Py_3_12))]
        #[allow(deprecated)]
        if ffi::PyUnicode_READY(obj) != 0 {
            return Err(PyErr::fetch(text.py()));
        }
        let data = ffi::PyUnicode_DATA(obj);
        let len = ffi::PyUnicode_GET_LENGTH(obj).cast_unsigned();
        Ok(match ffi::PyUnicode_KIND(obj) {
            ffi::PyUnicode_1BYTE_KIND => {
                let chars = std::slice::from_raw_parts(data.cast::<u8>(), len);
                if chars.is_ascii() {
                    (Cow::Borrowed(chars), false)
                } else {
                    wide(chars)
                }
            }
            ffi::PyUnicode_2BYTE_KIND => wide(std::slice::from_raw_parts(data.cast::<u16>(), len)),
            _ => wide(std::slice::from_raw_parts(data.cast::<u32>(), len)),
        })
    }
}

fn wide<'a, C: Copy + Into<u32>>(chars: &[C]) -> (Cow<'a, [u8]>, bool) {
    let mut text = Vec::with_capacity(chars.len() * 2 + 16);
    let mut surrogates = false;
    for &char in chars {
        let point: u32 = char.into();
        let low = |shift: u32| 0x80 | (point >> shift & 0x3f) as u8;
        match point {
            0..0x80 => text.push(point as u8),
            0x80..0x800 => text.extend([0xc0 | (point >> 6) as u8, low(0)]),
            0x800..0x1_0000 => {
                surrogates |= (0xd800..0xe000).contains(&point);
                text.extend([0xe0 | (point >> 12) as u8, low(6), low(0)]);
            }
            _ => text.extend([0xf0 | (point >> 18) as u8, low(12), low(6), low(0)]),
        }
    }
    (Cow::Owned(text), surrogates)
}

/// The pairs of a dict, each held as it is given. Whoever changes the dict meanwhile makes the walk give other pairs, no more.
pub(super) struct Pairs<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    position: ffi::Py_ssize_t,
}

/// The pairs of a dict, in its order.
pub(super) fn pairs<'a, 'py>(dict: &'a Bound<'py, PyDict>) -> Pairs<'a, 'py> {
    Pairs { dict, position: 0 }
}

impl<'py> Iterator for Pairs<'_, 'py> {
    type Item = (Bound<'py, PyAny>, Bound<'py, PyAny>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        with_critical_section(self.dict, || {
            let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
            // SAFETY: a live dict, attached; any position is checked against what the dict has.
            let found = unsafe {
                ffi::PyDict_Next(
                    self.dict.as_ptr(),
                    &raw mut self.position,
                    &raw mut key,
                    &raw mut value,
                )
            };
            // SAFETY: the dict holds both, and nothing has run since; they are held from here on.
            (found != 0).then(|| unsafe {
                let py = self.dict.py();
                (
                    Bound::from_borrowed_ptr(py, key),
                    Bound::from_borrowed_ptr(py, value),
                )
            })
        })
    }
}

/// Sets an attribute as `object.__setattr__` does, past what the class says of it.
pub(super) fn set_attribute(
    obj: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    // SAFETY: three live objects, attached.
    match unsafe { ffi::PyObject_GenericSetAttr(obj.as_ptr(), name.as_ptr(), value.as_ptr()) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(obj.py())),
    }
}

/// The bytes of a buffer that nobody can change through it, and that lies in one piece.
pub(super) fn unchanging(buffer: &PyBuffer<u8>) -> Option<&[u8]> {
    if !buffer.readonly() || !buffer.is_c_contiguous() {
        return None;
    }
    // SAFETY: the buffer is held, in one piece, and as long as it says; who exports it as read-only answers for its staying
    // as it is.
    Some(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), buffer.len_bytes()) })
}
