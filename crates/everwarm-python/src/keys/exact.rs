//! Exact built-in scalars and the insides of types, read without asking the interpreter.
//!
//! With `short` the only file of the room with `unsafe`. Everything here reads fields of objects that the caller keeps
//! alive, while attached; nothing here runs Python code, so nothing can change or die meanwhile.

use everwarm_core::key::Writer;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};

/// Writes `obj` if it is exactly a str, int, bool, None, float or bytes; if not, writes nothing and returns false.
///
/// # Safety
///
/// The thread is attached and `obj` is alive until this returns.
#[inline]
pub(crate) unsafe fn try_exact(obj: *mut ffi::PyObject, writer: &mut Writer) -> bool {
    // SAFETY: the caller answers for `obj`; each reader is called for its own exact type only.
    unsafe {
        let class = ffi::Py_TYPE(obj);
        if class == &raw mut ffi::PyUnicode_Type {
            return write_str(obj, writer);
        }
        if class == &raw mut ffi::PyLong_Type {
            write_int(obj, writer)
        } else if class == &raw mut ffi::PyBool_Type {
            writer.bool(obj == ffi::Py_True());
        } else if obj == ffi::Py_None() {
            writer.none();
        } else if class == &raw mut ffi::PyFloat_Type {
            writer.float(ffi::PyFloat_AS_DOUBLE(obj));
        } else if class == &raw mut ffi::PyBytes_Type {
            let bytes = Borrowed::from_ptr(Python::assume_attached(), obj);
            writer.bytes(bytes.cast_unchecked::<PyBytes>().as_bytes());
        } else {
            return false;
        }
    }
    true
}

/// [`try_exact`] for an object that PyO3 already answers for.
#[inline]
pub(crate) fn try_exact_bound(obj: &Bound<'_, PyAny>, writer: &mut Writer) -> bool {
    // SAFETY: a bound object is alive and its thread attached.
    unsafe { try_exact(obj.as_ptr(), writer) }
}

/// # Safety
///
/// As [`try_exact`], and `obj` is exactly an int.
#[inline]
unsafe fn write_int(obj: *mut ffi::PyObject, writer: &mut Writer) {
    let mut overflow = 0;
    // SAFETY: for an exact int this cannot fail and runs no Python code.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(obj, &raw mut overflow) };
    if overflow == 0 {
        writer.int(value);
    } else {
        // SAFETY: the same int.
        unsafe { write_big_int(obj, overflow < 0, writer) };
    }
}

/// # Safety
///
/// As [`write_int`].
#[cold]
unsafe fn write_big_int(obj: *mut ffi::PyObject, negative: bool, writer: &mut Writer) {
    // SAFETY: the digits of an exact int are read through its own methods, which run no other code.
    let int = unsafe { Borrowed::from_ptr(Python::assume_attached(), obj) };
    let read = || -> PyResult<Vec<u8>> {
        let magnitude = if negative { int.neg()? } else { int.to_owned() };
        let bits: usize = magnitude.call_method0("bit_length")?.extract()?;
        let bytes = magnitude.call_method1("to_bytes", (bits.div_ceil(8), "little"))?;
        Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec())
    };
    match read() {
        Ok(magnitude) => writer.big_int(negative, &magnitude),
        // Only memory can fail here, and a size beyond all bounds refuses the key.
        Err(_) => writer.refuse(),
    }
}

/// # Safety
///
/// As [`try_exact`], and `obj` is exactly a str.
#[inline]
unsafe fn write_str(obj: *mut ffi::PyObject, writer: &mut Writer) -> bool {
    // SAFETY: the kind says how wide the characters at the data are, the length how many; a str never changes.
    unsafe {
        #[cfg(not(Py_3_12))]
        #[allow(deprecated)]
        if ffi::PyUnicode_READY(obj) != 0 {
            ffi::PyErr_Clear();
            return false;
        }
        let data = ffi::PyUnicode_DATA(obj);
        let len = ffi::PyUnicode_GET_LENGTH(obj).cast_unsigned();
        match ffi::PyUnicode_KIND(obj) {
            ffi::PyUnicode_1BYTE_KIND => {
                let chars = std::slice::from_raw_parts(data.cast::<u8>(), len);
                if chars.is_ascii() {
                    writer.text(chars)
                } else {
                    write_wide(chars, writer)
                }
            }
            ffi::PyUnicode_2BYTE_KIND => {
                write_wide(std::slice::from_raw_parts(data.cast::<u16>(), len), writer)
            }
            _ => write_wide(std::slice::from_raw_parts(data.cast::<u32>(), len), writer),
        }
    }
    true
}

/// Writes code points as generalized UTF-8. The interpreter's own encoder would keep a copy in the object, and would
/// refuse lone surrogates.
fn write_wide<C: Copy + Into<u32>>(chars: &[C], writer: &mut Writer) {
    let mut text = Vec::with_capacity(chars.len() * 2 + 16);
    for &char in chars {
        let point: u32 = char.into();
        let low = |shift: u32| 0x80 | (point >> shift & 0x3f) as u8;
        match point {
            0..0x80 => text.push(point as u8),
            0x80..0x800 => text.extend([0xc0 | (point >> 6) as u8, low(0)]),
            0x800..0x1_0000 => text.extend([0xe0 | (point >> 12) as u8, low(6), low(0)]),
            _ => text.extend([0xf0 | (point >> 18) as u8, low(12), low(6), low(0)]),
        }
    }
    writer.text(&text);
}

/// The pairs of an exact dict, held.
pub(crate) fn pairs<'py>(dict: &Bound<'py, PyDict>) -> Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    pyo3::sync::critical_section::with_critical_section(dict, || {
        let mut pairs = Vec::with_capacity(dict.len());
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut position = 0;
        // SAFETY: the dict is alive, and nothing in this loop runs Python code that could change it.
        while unsafe {
            ffi::PyDict_Next(
                dict.as_ptr(),
                &raw mut position,
                &raw mut key,
                &raw mut value,
            )
        } != 0
        {
            // SAFETY: both are alive while the dict holds them, and held from here on.
            let pair = unsafe {
                (
                    Bound::from_borrowed_ptr(dict.py(), key),
                    Bound::from_borrowed_ptr(dict.py(), value),
                )
            };
            pairs.push(pair);
        }
        pairs
    })
}

/// The version of a type: changes whenever the type does, and no other type ever has it. Zero where there is none.
#[inline]
pub(crate) fn version(class: *mut ffi::PyTypeObject) -> u32 {
    // SAFETY: the caller has an object of this type, which keeps it alive.
    let version = unsafe { &raw const (*class).tp_version_tag };
    // SAFETY: an aligned field of a live type; other threads may write it, so it is read as an atomic.
    unsafe { std::sync::atomic::AtomicU32::from_ptr(version.cast_mut()) }
        .load(std::sync::atomic::Ordering::Relaxed)
}

/// The full name of a type that is compiled in, not made by a class statement.
pub(crate) fn static_name<'py>(class: &Bound<'py, PyType>) -> Option<&'py std::ffi::CStr> {
    let class = class.as_type_ptr();
    // SAFETY: flags and name of a live type; those of a static type never change.
    unsafe {
        let made = ffi::PyType_GetFlags(class) & ffi::Py_TPFLAGS_HEAPTYPE != 0;
        (!made).then(|| std::ffi::CStr::from_ptr((*class).tp_name))
    }
}

/// The fields of a compiled-in `datetime.date`: year, month, day. None for any other class.
pub(crate) fn date_fields(obj: &Bound<'_, PyAny>) -> Option<[i64; 3]> {
    // SAFETY: the name is that of the compiled-in class alone, whose fields these are.
    (static_name(&obj.get_type()) == Some(c"datetime.date"))
        .then(|| unsafe { day_of(obj.as_ptr()) })
}

/// The fields of a compiled-in `datetime.datetime`: those of its date, then hour, minute, second, microsecond, fold.
/// None for any other class.
pub(crate) fn datetime_fields(obj: &Bound<'_, PyAny>) -> Option<[i64; 8]> {
    if static_name(&obj.get_type()) != Some(c"datetime.datetime") {
        return None;
    }
    let obj = obj.as_ptr();
    // SAFETY: the name is that of the compiled-in class alone, whose fields these are.
    unsafe {
        let [year, month, day] = day_of(obj);
        let hour = ffi::PyDateTime_DATE_GET_HOUR(obj).into();
        let minute = ffi::PyDateTime_DATE_GET_MINUTE(obj).into();
        let second = ffi::PyDateTime_DATE_GET_SECOND(obj).into();
        let micro = ffi::PyDateTime_DATE_GET_MICROSECOND(obj).into();
        Some([
            year,
            month,
            day,
            hour,
            minute,
            second,
            micro,
            ffi::PyDateTime_DATE_GET_FOLD(obj).into(),
        ])
    }
}

/// # Safety
///
/// `obj` is a live instance of the compiled-in `date` or `datetime`.
unsafe fn day_of(obj: *mut ffi::PyObject) -> [i64; 3] {
    // SAFETY: the caller answers for the class, whose fields these are.
    unsafe {
        let year = ffi::PyDateTime_GET_YEAR(obj).into();
        [
            year,
            ffi::PyDateTime_GET_MONTH(obj).into(),
            ffi::PyDateTime_GET_DAY(obj).into(),
        ]
    }
}
