//! Exact scalars on their way into a short key: the first thing that happens on every call.
//!
//! Small integers and ASCII texts are read from where CPython keeps them, which costs a few loads; everything here stays in
//! registers. A key that is given up is written in full instead (`exact`, `walk`).

use everwarm_core::key::{Part, Short};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{Borrowed, ffi};

/// Adds a small int or an ASCII text; gives the key up for anything else.
#[inline(always)]
pub(crate) fn add_common(obj: Borrowed<'_, '_, PyAny>, short: Short) -> Short {
    let object = obj.as_ptr();
    // SAFETY: a borrowed object is alive and its thread attached; each reader is called for its own exact type only.
    unsafe {
        let class = ffi::Py_TYPE(object);
        if class == &raw mut ffi::PyLong_Type
            && let Some((negative, magnitude)) = small_int(object)
        {
            short.signed(negative, magnitude)
        } else if class == &raw mut ffi::PyUnicode_Type
            && let Some(text) = ascii_text(object)
        {
            short.text(text)
        } else {
            short.refuse()
        }
    }
}

/// How many characters an exact ASCII text has.
#[inline]
pub(crate) fn ascii_len(obj: Borrowed<'_, '_, PyAny>) -> Option<usize> {
    let object = obj.as_ptr();
    // SAFETY: as in `add_common`.
    unsafe {
        let is_text = ffi::Py_TYPE(object) == &raw mut ffi::PyUnicode_Type;
        is_text.then(|| ascii_text(object).map(<[u8]>::len))?
    }
}

/// The part of a key that a small int or a short ASCII text makes.
#[inline(always)]
pub(crate) fn common_part(obj: Borrowed<'_, '_, PyAny>) -> Option<Part> {
    let object = obj.as_ptr();
    // SAFETY: as in `add_common`.
    unsafe {
        let class = ffi::Py_TYPE(object);
        if class == &raw mut ffi::PyLong_Type {
            let (negative, magnitude) = small_int(object)?;
            Part::signed(negative, magnitude)
        } else if class == &raw mut ffi::PyUnicode_Type {
            Part::text(ascii_text(object)?)
        } else {
            None
        }
    }
}

/// Adds an exact str, int, bool, None, float or bytes; gives the key up for anything else.
#[inline]
pub(crate) fn add_exact(obj: Borrowed<'_, '_, PyAny>, short: Short) -> Short {
    let object = obj.as_ptr();
    // SAFETY: as in `add_common`; what a conversion to a machine word overflows is left to the full form.
    unsafe {
        let class = ffi::Py_TYPE(object);
        let mut overflow = 0;
        if object == ffi::Py_None() {
            short.none()
        } else if class == &raw mut ffi::PyBool_Type {
            short.bool(object == ffi::Py_True())
        } else if class == &raw mut ffi::PyFloat_Type {
            short.float(ffi::PyFloat_AS_DOUBLE(object))
        } else if class == &raw mut ffi::PyBytes_Type {
            short.bytes(obj.cast_unchecked::<PyBytes>().as_bytes())
        } else if class == &raw mut ffi::PyLong_Type {
            let value = ffi::PyLong_AsLongLongAndOverflow(object, &raw mut overflow);
            if overflow == 0 {
                short.int(value)
            } else {
                short.refuse()
            }
        } else {
            add_common(obj, short)
        }
    }
}

/// The sign and magnitude of an int of at most two digits, from where CPython keeps them.
///
/// # Safety
///
/// Attached, and `object` is exactly an int.
#[inline(always)]
unsafe fn small_int(object: *mut ffi::PyObject) -> Option<(bool, u64)> {
    #[cfg(all(target_pointer_width = "64", not(Py_3_15)))]
    {
        #[repr(C)]
        struct Int {
            ob_base: ffi::PyObject,
            /// Up to 3.11 the signed number of digits; then that number above three bits, the lowest two of which say
            /// positive, zero or negative.
            size: isize,
            digits: [u32; 2],
        }
        let int = object.cast::<Int>();
        // SAFETY: an int has this layout on the versions named, and as many digits of 30 bits as its size says. An int is
        // never changed, and its storage has room for one digit even if it is zero.
        unsafe {
            let size = (*int).size;
            #[cfg(not(Py_3_12))]
            let (count, negative) = (size.unsigned_abs(), size < 0);
            #[cfg(Py_3_12)]
            let (count, negative) = (size as usize >> 3, size & 3 == 2);
            let first = &raw const (*int).digits;
            let first = first.cast::<u32>();
            let magnitude = match count {
                0 => 0,
                1 => u64::from(*first),
                2 => u64::from(*first) | u64::from(*first.add(1)) << 30,
                _ => return None,
            };
            Some((negative, magnitude))
        }
    }
    #[cfg(not(all(target_pointer_width = "64", not(Py_3_15))))]
    {
        let _ = object;
        None
    }
}

/// The characters of an ASCII text, which lie behind its head.
///
/// # Safety
///
/// Attached, and `object` is exactly a str, alive for `'a`.
#[inline(always)]
unsafe fn ascii_text<'a>(object: *mut ffi::PyObject) -> Option<&'a [u8]> {
    #[cfg(not(Py_3_14))]
    // SAFETY: a compact ASCII text has its characters, as many as its length says, right behind its head, and never changes.
    unsafe {
        let text = object.cast::<ffi::PyASCIIObject>();
        (ffi::PyUnicode_IS_COMPACT_ASCII(object) != 0)
            .then(|| std::slice::from_raw_parts(text.add(1).cast(), (*text).length.cast_unsigned()))
    }
    #[cfg(Py_3_14)]
    {
        let _ = object;
        None
    }
}
