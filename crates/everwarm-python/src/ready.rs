//! The awaitable of a hit: it completes at its first step, with a value that is already there.
//!
//! An `async def` that returns at once costs a frame, a coroutine object and, from CPython 3.12 on, a fresh
//! `StopIteration` for each await. This object costs one allocation from a free list, and hands its value over in the way
//! the interpreter asks first: `am_send` up to 3.11, `tp_iternext` from 3.12 on, where the value travels in a
//! `StopIteration`. A spare one is kept and used again, if nobody else holds it.
//!
//! It offers `send`, `throw`, `close` and `__await__`, which is what `collections.abc.Coroutine` asks for, so that
//! `create_task`, `gather`, `wait_for`, `TaskGroup` and `asyncio.run` take it as a coroutine.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::{self, null_mut};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::lasting::Lasting;
use crate::object::Object;

#[repr(C)]
struct Ready {
    ob_base: ffi::PyObject,
    /// Owned; null once it has been handed over.
    value: *mut ffi::PyObject,
}

static TYPE: Lasting<Py<PyType>> = Lasting::new();

/// What is said of one that has been awaited, in CPython's words for coroutines.
const SPENT: &std::ffi::CStr = c"cannot reuse already awaited coroutine";

/// Objects waiting to be used again. Under the interpreter lock a plain static serves; free-threaded builds allocate.
#[cfg(not(Py_GIL_DISABLED))]
mod spare {
    use super::ffi;
    use std::ptr::null_mut;
    #[cfg(Py_3_12)]
    use std::ptr::replace;

    const KEPT: usize = 64;
    static mut FREE: [*mut ffi::PyObject; KEPT] = [null_mut(); KEPT];
    static mut COUNT: usize = 0;
    #[cfg(Py_3_12)]
    static mut STOP: *mut ffi::PyObject = null_mut();

    /// # Safety
    /// The thread is attached.
    #[inline]
    pub(super) unsafe fn take() -> *mut ffi::PyObject {
        // SAFETY: only attached threads come here, and the interpreter lock admits one at a time.
        unsafe {
            if COUNT == 0 {
                return null_mut();
            }
            COUNT -= 1;
            FREE[COUNT]
        }
    }

    /// # Safety
    /// The thread is attached; `object` is a dead `Ready` whose memory is still allocated.
    #[inline]
    pub(super) unsafe fn keep(object: *mut ffi::PyObject) -> bool {
        // SAFETY: as in `take`.
        unsafe {
            if COUNT == KEPT {
                return false;
            }
            FREE[COUNT] = object;
            COUNT += 1;
            true
        }
    }

    /// Raises `StopIteration(value)` with the spare exception if nobody else holds it. Takes over `value`.
    ///
    /// # Safety
    /// The thread is attached and no exception is set; `value` is an owned reference.
    #[cfg(Py_3_12)]
    pub(super) unsafe fn stop(value: *mut ffi::PyObject) {
        // SAFETY: attached, so the static is ours alone. The spare is touched only while its count says that this static
        // holds the one reference to it, so no frame, traceback handler or other thread can see it change.
        unsafe {
            if STOP.is_null() || ffi::Py_REFCNT(STOP) != 1 {
                let fresh = ffi::PyObject_CallNoArgs(ffi::PyExc_StopIteration);
                if fresh.is_null() {
                    ffi::Py_DECREF(value);
                    return;
                }
                let old = STOP;
                STOP = fresh;
                ffi::Py_XDECREF(old);
            }
            // Counted before anything is let go: that may run Python code, which must find the spare in use.
            let raised = ffi::Py_NewRef(STOP);
            let left = empty(raised.cast());
            (*raised.cast::<ffi::PyStopIterationObject>()).value = value;
            for object in left {
                ffi::Py_XDECREF(object);
            }
            ffi::PyErr_SetRaisedException(raised);
        }
    }

    /// Takes everything out of an exception that nobody else can see.
    ///
    /// # Safety
    /// `stop` is a live `StopIteration`; the caller lets go of what it is given.
    #[cfg(Py_3_12)]
    unsafe fn empty(stop: *mut ffi::PyStopIterationObject) -> [*mut ffi::PyObject; 5] {
        // SAFETY: by contract.
        unsafe {
            [
                replace(&raw mut (*stop).value, null_mut()),
                replace(&raw mut (*stop).traceback, null_mut()),
                replace(&raw mut (*stop).context, null_mut()),
                replace(&raw mut (*stop).cause, null_mut()),
                replace(&raw mut (*stop).notes, null_mut()),
            ]
        }
    }

    /// Lets go of the value that the spare carried last, so that no cached value outlives its entry here.
    ///
    /// # Safety
    /// The thread is attached.
    #[cfg(Py_3_12)]
    #[inline]
    pub(super) unsafe fn forget() {
        // SAFETY: as in `stop`.
        unsafe {
            if !STOP.is_null() && ffi::Py_REFCNT(STOP) == 1 {
                let value = replace(
                    &raw mut (*STOP.cast::<ffi::PyStopIterationObject>()).value,
                    null_mut(),
                );
                ffi::Py_XDECREF(value);
            }
        }
    }
}

/// An awaitable that gives `value`.
#[inline]
pub(crate) fn ready(py: Python<'_>, value: Object) -> PyResult<*mut ffi::PyObject> {
    let value = value.into_ptr();
    // SAFETY: attached; the type is a heap type whose instances are `Ready`; a spare instance is dead memory of that type.
    unsafe {
        #[cfg(not(Py_GIL_DISABLED))]
        {
            let kept = spare::take();
            if !kept.is_null() {
                ffi::PyObject_Init(kept, (*kept).ob_type);
                (*kept.cast::<Ready>()).value = value;
                return Ok(kept);
            }
        }
        let Some(class) = TYPE.get(py) else {
            ffi::Py_DECREF(value);
            return Err(PyRuntimeError::new_err(
                "everwarm._native is not initialized",
            ));
        };
        let object = ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0);
        if object.is_null() {
            ffi::Py_DECREF(value);
            return Err(PyErr::fetch(py));
        }
        (*object.cast::<Ready>()).value = value;
        Ok(object)
    }
}

/// # Safety
/// `object` is a live `Ready` and the thread is attached.
unsafe fn take_value(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: by contract.
    let value = unsafe { ptr::replace(&raw mut (*object.cast::<Ready>()).value, null_mut()) };
    if value.is_null() {
        // SAFETY: attached.
        unsafe {
            ffi::PyErr_SetString(ffi::PyExc_RuntimeError, SPENT.as_ptr());
        }
    }
    value
}

/// # Safety
/// Attached; takes over `value`.
unsafe fn raise_stop(value: *mut ffi::PyObject) {
    #[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
    // SAFETY: by contract.
    unsafe {
        spare::stop(value);
    }
    #[cfg(not(all(Py_3_12, not(Py_GIL_DISABLED))))]
    // SAFETY: by contract.
    unsafe {
        raise_fresh_stop(value);
    }
}

/// Raises a `StopIteration` that also has the value among its arguments, for Python code that looks at them.
///
/// # Safety
/// Attached; takes over `value`.
unsafe fn raise_fresh_stop(value: *mut ffi::PyObject) {
    // SAFETY: by contract. The exception is made by hand, since `PyErr_SetObject` would take a tuple for arguments.
    unsafe {
        let stop = ffi::PyObject_CallFunctionObjArgs(
            ffi::PyExc_StopIteration,
            value,
            null_mut::<ffi::PyObject>(),
        );
        ffi::Py_DECREF(value);
        if !stop.is_null() {
            ffi::PyErr_SetObject(ffi::PyExc_StopIteration, stop);
            ffi::Py_DECREF(stop);
        }
    }
}

unsafe extern "C" fn itself(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes a live object.
    unsafe { ffi::Py_INCREF(object) };
    object
}

unsafe extern "C" fn iternext(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes a live `Ready`, attached.
    unsafe {
        let value = take_value(object);
        if value.is_null() {
            return null_mut();
        }
        if value == ffi::Py_None() {
            // An end without an exception means `StopIteration(None)`.
            ffi::Py_DECREF(value);
        } else {
            raise_stop(value);
        }
        null_mut()
    }
}

unsafe extern "C" fn am_send(
    object: *mut ffi::PyObject,
    _sent: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    // SAFETY: the interpreter passes a live `Ready` and a place for the result, attached.
    unsafe {
        *result = take_value(object);
        if (*result).is_null() {
            ffi::PySendResult::PYGEN_ERROR
        } else {
            ffi::PySendResult::PYGEN_RETURN
        }
    }
}

unsafe extern "C" fn send(
    object: *mut ffi::PyObject,
    _sent: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as for `iternext`; a method, unlike a slot, must set the exception also for None.
    unsafe {
        let value = take_value(object);
        if !value.is_null() {
            raise_fresh_stop(value);
        }
        null_mut()
    }
}

/// `throw(type[, value[, traceback]])`: raises what it is given, as a coroutine does that has not begun.
unsafe extern "C" fn throw(
    object: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes a live `Ready` and a tuple, attached.
    unsafe {
        let mut parts = [null_mut::<ffi::PyObject>(); 3];
        let [kind, error, trace] = &mut parts;
        let parsed = ffi::PyArg_UnpackTuple(
            arguments,
            c"throw".as_ptr(),
            1,
            3,
            &raw mut *kind,
            &raw mut *error,
            &raw mut *trace,
        );
        if parsed == 0 {
            return null_mut();
        }
        let [kind, error, trace] = parts;
        if ffi::PyExceptionInstance_Check(kind) != 0 {
            ffi::PyErr_SetObject(ffi::PyExceptionInstance_Class(kind), kind);
        } else if ffi::PyExceptionClass_Check(kind) != 0 {
            let none = error.is_null() || error == ffi::Py_None();
            ffi::PyErr_SetObject(kind, if none { null_mut() } else { error });
        } else {
            ffi::PyErr_Format(
                ffi::PyExc_TypeError,
                c"exceptions must be classes or instances deriving from BaseException, not %s"
                    .as_ptr(),
                (*ffi::Py_TYPE(kind)).tp_name,
            );
            return null_mut();
        }
        if !trace.is_null() && ffi::PyTraceBack_Check(trace) != 0 {
            let py = Python::assume_attached();
            let raised = PyErr::fetch(py);
            raised.set_traceback(
                py,
                Some(Bound::from_borrowed_ptr(py, trace).cast_into_unchecked()),
            );
            raised.restore(py);
        }
        let value = ptr::replace(&raw mut (*object.cast::<Ready>()).value, null_mut());
        if value.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_RuntimeError, SPENT.as_ptr());
        }
        ffi::Py_XDECREF(value);
        null_mut()
    }
}

unsafe extern "C" fn close(
    object: *mut ffi::PyObject,
    _none: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes a live `Ready`, attached.
    unsafe {
        let value = ptr::replace(&raw mut (*object.cast::<Ready>()).value, null_mut());
        ffi::Py_XDECREF(value);
        ffi::Py_NewRef(ffi::Py_None())
    }
}

unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: the interpreter passes an object whose count has reached zero, attached.
    unsafe {
        let class = ffi::Py_TYPE(object);
        let value = ptr::replace(&raw mut (*object.cast::<Ready>()).value, null_mut());
        ffi::Py_XDECREF(value);
        #[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
        spare::forget();
        #[cfg(not(Py_GIL_DISABLED))]
        if spare::keep(object) {
            ffi::Py_DECREF(class.cast());
            return;
        }
        ffi::PyObject_Free(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// Makes the type; called once, when the module is made.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    static mut METHODS: [ffi::PyMethodDef; 5] = [ffi::PyMethodDef::zeroed(); 5];
    let method = |name: &'static std::ffi::CStr,
                  call: ffi::PyCFunction,
                  flags: c_int,
                  doc: &'static std::ffi::CStr| {
        ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: call },
            ml_flags: flags,
            ml_doc: doc.as_ptr(),
        }
    };
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    // SAFETY: the tables live for ever, the slots hold functions of the signatures that their names ask for, and the module
    // is made once per process (subinterpreters are refused).
    let class = unsafe {
        METHODS = [
            method(
                c"send",
                send,
                ffi::METH_O,
                c"Ends with StopIteration(value).",
            ),
            method(
                c"throw",
                throw,
                ffi::METH_VARARGS,
                c"Raises what it is given.",
            ),
            method(c"close", close, ffi::METH_NOARGS, c"Lets the value go."),
            ffi::PyMethodDef::zeroed(),
            ffi::PyMethodDef::zeroed(),
        ];
        let mut slots = [
            slot(
                ffi::Py_tp_doc,
                c"An awaitable that gives a cached value at once.".as_ptr() as *mut c_void,
            ),
            slot(ffi::Py_am_await, itself as *mut c_void),
            slot(ffi::Py_am_send, am_send as *mut c_void),
            slot(ffi::Py_tp_iter, itself as *mut c_void),
            slot(ffi::Py_tp_iternext, iternext as *mut c_void),
            slot(ffi::Py_tp_methods, (&raw mut METHODS).cast()),
            slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
            slot(0, null_mut()),
        ];
        let mut spec = ffi::PyType_Spec {
            name: c"everwarm._native.Ready".as_ptr(),
            basicsize: size_of::<Ready>() as c_int,
            itemsize: 0,
            flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as c_uint,
            slots: slots.as_mut_ptr(),
        };
        Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))?
            .cast_into_unchecked::<PyType>()
    };
    let _ = TYPE.set(py, class.clone().unbind());
    module.add("Ready", class)
}
