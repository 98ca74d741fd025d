//! The decorated function as CPython sees it: a heap type with vectorcall.
//!
//! A hit must cost less than `functools.lru_cache`, so nothing may stand between the interpreter's call instruction and the
//! table: no tuple of arguments, no bound method, no attribute look-up. PyO3's classes cannot offer vectorcall, so the type is
//! made here, by hand, and everything that is not the call itself lives elsewhere:
//!
//! * `vectorcall_sync` and `vectorcall_async` build the key on the stack and ask the table ([`Function::hit`]). What is not a
//!   plain hit goes on in safe code ([`Function::answer`] and Python's `drive`), behind a guard that turns panics into errors.
//! * The type has `METHOD_DESCRIPTOR`, so that `obj.method(x)` passes `obj` as first argument and makes no bound method.
//! * `Call` is the base of the Python classes `Function` and `AsyncFunction`, which carry the verbs. Up to CPython 3.11 a class
//!   statement does not inherit the two flags; [`seal`] sets them. Both classes then behave as the type made here.
//! * A `Call` owns its Python references through [`Function`], which is visited for garbage collection and emptied by dropping
//!   it; its place is an `Option`, so that a collected function that is called again raises.

use std::ffi::{c_int, c_uint, c_void};
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, null_mut};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::arguments::Arguments;
use crate::calling;
use crate::function::Function;
use crate::lasting::Lasting;
use crate::ready;

#[repr(C)]
struct Call {
    ob_base: ffi::PyObject,
    vectorcall: ffi::vectorcallfunc,
    dict: *mut ffi::PyObject,
    weakrefs: *mut ffi::PyObject,
    function: Option<Function>,
}

static TYPE: Lasting<Py<PyType>> = Lasting::new();

/// The native half of a decorated function, or a `TypeError`.
pub(crate) fn function<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<&'a Function> {
    let class = TYPE.get(object.py()).map(|class| class.bind(object.py()));
    if !class.is_some_and(|class| object.is_instance(class).unwrap_or(false)) {
        return Err(PyTypeError::new_err(
            "expected a function decorated by everwarm",
        ));
    }
    // SAFETY: instances of the type and of its subclasses begin with `Call`; the place of `function` is written only by
    // `new` and by `clear`, which runs when nothing reaches the object.
    let function = unsafe { &(*object.as_ptr().cast::<Call>()).function };
    function.as_ref().ok_or_else(collected)
}

fn collected() -> PyErr {
    PyRuntimeError::new_err("this decorated function has been taken apart by the garbage collector")
}

/// Runs `work` and gives its result to the interpreter; a panic becomes an exception.
pub(crate) fn guarded(work: impl FnOnce() -> PyResult<*mut ffi::PyObject>) -> *mut ffi::PyObject {
    known_to_pyo3(|py| {
        let error = match catch_unwind(AssertUnwindSafe(|| calling::unless_ended(work))) {
            Ok(Ok(object)) => return object,
            Ok(Err(error)) => error,
            Err(_) => panicked(),
        };
        error.restore(py);
        null_mut()
    })
}

/// Does `work`, of which PyO3 need not know that the thread is attached: it drops nothing of PyO3's. None, with an exception set, if
/// it panicked.
#[inline]
pub(crate) fn guarded_alone<R>(work: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(|| calling::unless_ended(work))) {
        Ok(result) => Some(result),
        Err(_) => {
            known_to_pyo3(|py| panicked().restore(py));
            None
        }
    }
}

fn panicked() -> PyErr {
    PanicException::new_err("a bug in everwarm: its native code panicked")
}

/// Runs `work` with PyO3 knowing that the thread is attached. It counts for itself, and where it does not know, what is
/// dropped is let go of only at some later time.
fn known_to_pyo3<R>(work: impl FnOnce(Python<'_>) -> R) -> R {
    // SAFETY: only what the interpreter calls comes here, so it runs, and the thread is attached already.
    unsafe { Python::attach_unchecked(work) }
}

/// # Safety
/// Called by the interpreter's vectorcall protocol on an instance of [`Call`].
#[inline(always)]
unsafe fn look<'a, 'py>(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> (Python<'py>, Option<&'a Function>, Arguments<'a, 'py>) {
    // SAFETY: by contract attached; the arguments and the object live for the call.
    unsafe {
        let py = Python::assume_attached();
        let function = (*object.cast::<Call>()).function.as_ref();
        (
            py,
            function,
            Arguments::from_vectorcall(py, arguments, count, names),
        )
    }
}

unsafe extern "C" fn vectorcall_sync(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this by the vectorcall protocol.
    let (py, function, call) = unsafe { look(object, arguments, count, names) };
    if let Some(function) = function
        && let Some(value) = function.hit(&call)
    {
        return value.into_ptr();
    }
    guarded(|| {
        let function = function.ok_or_else(collected)?;
        // SAFETY: the interpreter holds the callable for the length of the call.
        let object = unsafe { Bound::from_borrowed_ptr(py, object) };
        Ok(function.answer(&object, &call)?.into_ptr())
    })
}

unsafe extern "C" fn vectorcall_async(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this by the vectorcall protocol.
    let (py, function, call) = unsafe { look(object, arguments, count, names) };
    if let Some(function) = function
        && let Some(value) = function.hit(&call)
    {
        return ready::ready(py, value).unwrap_or_else(|error| {
            error.restore(py);
            null_mut()
        });
    }
    guarded(|| {
        let function = function.ok_or_else(collected)?;
        // SAFETY: the interpreter holds the callable for the length of the call.
        let object = unsafe { Bound::from_borrowed_ptr(py, object) };
        function.answer_later(&object, &call)
    })
}

/// `Call.__new__(class, function)`: takes the [`Function`] out of the native object that Python has prepared.
unsafe extern "C" fn new(
    class: *mut ffi::PyTypeObject,
    arguments: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this attached, with a tuple and a dict or null.
    let py = unsafe { Python::assume_attached() };
    guarded(|| {
        // SAFETY: as above.
        let arguments =
            unsafe { Bound::from_borrowed_ptr(py, arguments).cast_into_unchecked::<PyTuple>() };
        if !keywords.is_null() {
            return Err(PyTypeError::new_err("Call() takes no keyword arguments"));
        }
        let function = Function::from_arguments(&arguments)?;
        let vectorcall = if function.is_async() {
            vectorcall_async
        } else {
            vectorcall_sync
        };
        // SAFETY: the class is `Call` or one of its subclasses; `PyType_GenericAlloc` gives zeroed, tracked memory, and nothing
        // of ours has run since, so that no collection has seen the object before its places are written.
        unsafe {
            let object = ffi::PyType_GenericAlloc(class, 0);
            if object.is_null() {
                return Err(PyErr::fetch(py));
            }
            let call = object.cast::<Call>();
            ptr::write(&raw mut (*call).vectorcall, vectorcall);
            ptr::write(&raw mut (*call).function, Some(function));
            Ok(object)
        }
    })
}

unsafe extern "C" fn traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the collector passes a live object; nothing here allocates, locks or runs Python code.
    unsafe {
        let call = object.cast::<Call>();
        let mut visited = 0;
        let mut each = |object: *mut ffi::PyObject| {
            if visited == 0 && !object.is_null() {
                visited = visit(object, argument);
            }
        };
        each(ffi::Py_TYPE(object).cast());
        each((*call).dict);
        // `vectorcall` is null, and `function` unwritten, only between the allocation and the writes in `new`.
        if let Some(function) = &(*call).function {
            function.visit(&mut each);
        }
        visited
    }
}

unsafe extern "C" fn clear(object: *mut ffi::PyObject) -> c_int {
    // SAFETY: the collector or `dealloc` passes an object that nothing else reaches.
    unsafe {
        let call = object.cast::<Call>();
        let dict = ptr::replace(&raw mut (*call).dict, null_mut());
        ffi::Py_XDECREF(dict);
        let function = ptr::replace(&raw mut (*call).function, None);
        known_to_pyo3(|_| drop(function));
    }
    0
}

unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: the interpreter passes an object whose count has reached zero, attached. Its type is a heap type and is let go of
    // last.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let class = ffi::Py_TYPE(object);
        if !(*object.cast::<Call>()).weakrefs.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        clear(object);
        ffi::PyObject_GC_Del(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// `function.__get__(instance, owner)`: the function itself on the class, its bound form on an instance.
unsafe extern "C" fn get(
    object: *mut ffi::PyObject,
    instance: *mut ffi::PyObject,
    _owner: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes live objects or null, attached.
    unsafe {
        if instance.is_null() || instance == ffi::Py_None() {
            return ffi::Py_NewRef(object);
        }
        let py = Python::assume_attached();
        guarded(|| {
            let function = Bound::from_borrowed_ptr(py, object);
            let instance = Bound::from_borrowed_ptr(py, instance);
            let class = function.getattr("_bound_class")?;
            Ok(calling::call(&class, [function.as_borrowed(), instance.as_borrowed()])?.into_ptr())
        })
    }
}

/// Sets on a Python subclass of `Call` the two flags that class statements inherit only from CPython 3.12 on.
#[pyfunction]
fn seal(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let base = TYPE.get(py).ok_or_else(collected)?;
    if !class.is_subclass(base.bind(py))? {
        return Err(PyTypeError::new_err("only subclasses of Call are sealed"));
    }
    // SAFETY: the class has the layout of `Call` and inherits its `tp_call`, `tp_descr_get` and vectorcall offset, which is what
    // the flags promise. It is sealed before it has instances.
    unsafe {
        let class = class.as_ptr().cast::<ffi::PyTypeObject>();
        let flags = ffi::Py_TPFLAGS_HAVE_VECTORCALL | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR;
        #[cfg(not(Py_GIL_DISABLED))]
        {
            (*class).tp_flags |= flags;
        }
        #[cfg(Py_GIL_DISABLED)]
        (*class)
            .tp_flags
            .fetch_or(flags, std::sync::atomic::Ordering::Relaxed);
        ffi::PyType_Modified(class);
    }
    Ok(())
}

/// Makes the type; called once, when the module is made.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    static mut MEMBERS: [ffi::PyMemberDef; 4] = [ffi::PyMemberDef {
        name: ptr::null(),
        type_code: 0,
        offset: 0,
        flags: 0,
        doc: ptr::null(),
    }; 4];
    let member = |name: &'static std::ffi::CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    };
    static mut GETSET: [ffi::PyGetSetDef; 2] = [ffi::PyGetSetDef {
        name: ptr::null(),
        get: None,
        set: None,
        doc: ptr::null(),
        closure: null_mut(),
    }; 2];
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    // SAFETY: the tables live for ever, the slots hold functions of the signatures that their names ask for, and the module
    // is made once per process (subinterpreters are refused).
    let class = unsafe {
        MEMBERS[0] = member(c"__vectorcalloffset__", offset_of!(Call, vectorcall));
        MEMBERS[1] = member(c"__dictoffset__", offset_of!(Call, dict));
        MEMBERS[2] = member(c"__weaklistoffset__", offset_of!(Call, weakrefs));
        GETSET[0].name = c"__dict__".as_ptr();
        GETSET[0].get = Some(ffi::PyObject_GenericGetDict);
        GETSET[0].set = Some(ffi::PyObject_GenericSetDict);
        let mut slots = [
            slot(ffi::Py_tp_getset, (&raw mut GETSET).cast()),
            slot(
                ffi::Py_tp_doc,
                c"The native half of a decorated function.".as_ptr() as *mut c_void,
            ),
            slot(ffi::Py_tp_new, new as *mut c_void),
            slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
            slot(ffi::Py_tp_descr_get, get as *mut c_void),
            slot(ffi::Py_tp_members, (&raw mut MEMBERS).cast()),
            slot(ffi::Py_tp_traverse, traverse as *mut c_void),
            slot(ffi::Py_tp_clear, clear as *mut c_void),
            slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
            slot(0, null_mut()),
        ];
        let flags = ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_BASETYPE
            | ffi::Py_TPFLAGS_HAVE_GC
            | ffi::Py_TPFLAGS_HAVE_VECTORCALL
            | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR;
        let mut spec = ffi::PyType_Spec {
            name: c"everwarm._native.Call".as_ptr(),
            basicsize: size_of::<Call>() as c_int,
            itemsize: 0,
            flags: flags as c_uint,
            slots: slots.as_mut_ptr(),
        };
        Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))?
            .cast_into_unchecked::<PyType>()
    };
    let _ = TYPE.set(py, class.clone().unbind());
    module.add("Call", class)?;
    module.add_function(wrap_pyfunction!(seal, module)?)
}
