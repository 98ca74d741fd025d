//! Calling Python, such that a thread which never comes back does no harm.
//!
//! Up to CPython 3.13 a daemon thread that asks for the interpreter lock while the interpreter is taken down is ended by
//! `pthread_exit`, which unwinds its stack. PyO3 declares what it calls as not unwinding, so that the unwinder, on meeting one
//! of our frames below Python code, would abort the process and lose its exit code. Hence what may run Python code for long
//! is called here, as something that may unwind; and where it does the thread is parked for good, as CPython 3.14 does it
//! itself, so that no other frame of ours is ever met.

use std::ffi::c_int;
use std::hint::black_box;
use std::mem;

use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

type Vectorcall = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    usize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;
type Hash = unsafe extern "C-unwind" fn(*mut ffi::PyObject) -> ffi::Py_hash_t;
type Compare = unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject, c_int) -> c_int;
type Release = unsafe extern "C-unwind" fn(*mut ffi::PyObject);

/// Parks a thread that is being unwound.
struct Parked;

impl Drop for Parked {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// Parks a thread that is being unwound, but not for a panic.
struct ParkedUnlessPanicking;

impl Drop for ParkedUnlessPanicking {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(Parked);
        }
    }
}

/// Does `work`, in which the interpreter may end the thread wherever it collects garbage.
pub(crate) fn unless_ended<R>(work: impl FnOnce() -> R) -> R {
    let parked = ParkedUnlessPanicking;
    let result = work();
    mem::forget(parked);
    result
}

/// `PyObject_Vectorcall`.
///
/// # Safety
/// As the interpreter's: attached, and the arguments are those of one call.
pub(crate) unsafe fn vectorcall(
    function: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the same function under an ABI that differs only in what the compiler assumes of unwinding. It must not see that
    // it is the one that PyO3 declares, or the assumption is back.
    let call = black_box(unsafe {
        mem::transmute::<*const (), Vectorcall>(ffi::PyObject_Vectorcall as *const ())
    });
    let parked = Parked;
    // SAFETY: by contract.
    let result = unsafe { call(function, arguments, count, names) };
    mem::forget(parked);
    result
}

/// `PyObject_Hash`.
pub(crate) fn hash(object: &Bound<'_, PyAny>) -> PyResult<ffi::Py_hash_t> {
    // SAFETY: attached, with a live object; as for `vectorcall`.
    let hash = unsafe {
        let hash = black_box(mem::transmute::<*const (), Hash>(
            ffi::PyObject_Hash as *const (),
        ));
        let parked = Parked;
        let result = hash(object.as_ptr());
        mem::forget(parked);
        result
    };
    match hash {
        -1 => Err(PyErr::fetch(object.py())),
        hash => Ok(hash),
    }
}

/// `PyObject_RichCompareBool` for `==`: what is the same object is equal.
pub(crate) fn equal(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: attached, with live objects; as for `vectorcall`.
    let equal = unsafe {
        let compare = black_box(mem::transmute::<*const (), Compare>(
            ffi::PyObject_RichCompareBool as *const (),
        ));
        let parked = Parked;
        let result = compare(one.as_ptr(), other.as_ptr(), ffi::Py_EQ);
        mem::forget(parked);
        result
    };
    match equal {
        -1 => Err(PyErr::fetch(one.py())),
        equal => Ok(equal == 1),
    }
}

/// Lets go of a reference; the object's end may run Python code.
///
/// # Safety
/// Attached; the reference is owned by the caller and gone afterwards.
pub(crate) unsafe fn release(object: *mut ffi::PyObject) {
    // SAFETY: by contract; as for `vectorcall`.
    unsafe {
        if ffi::Py_REFCNT(object) > 1 {
            return ffi::Py_DECREF(object);
        }
        let release = black_box(mem::transmute::<*const (), Release>(
            ffi::Py_DecRef as *const (),
        ));
        let parked = Parked;
        release(object);
        mem::forget(parked);
    }
}

/// Calls the method of that name of the first of these with the others.
pub(crate) fn call_method<'py, const N: usize>(
    name: &Bound<'py, PyString>,
    arguments: [Borrowed<'_, 'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    const { assert!(N > 0) };
    // SAFETY: `Borrowed` is a transparent pointer to a live object; attached by `name`; as for `vectorcall`.
    unsafe {
        let call = black_box(mem::transmute::<*const (), Vectorcall>(
            ffi::PyObject_VectorcallMethod as *const (),
        ));
        let parked = Parked;
        let result = call(
            name.as_ptr(),
            arguments.as_ptr().cast(),
            N,
            std::ptr::null_mut(),
        );
        mem::forget(parked);
        Bound::from_owned_ptr_or_err(name.py(), result)
    }
}

/// Calls `function` with positional arguments.
pub(crate) fn call<'py, const N: usize>(
    function: &Bound<'py, PyAny>,
    arguments: [Borrowed<'_, 'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: `Borrowed` is a transparent pointer to a live object; attached by `function`.
    unsafe {
        let result = vectorcall(
            function.as_ptr(),
            arguments.as_ptr().cast(),
            N,
            std::ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}
