//! `get` and `set` as the interpreter calls them: methods that take their arguments as they lie on its stack.
//!
//! What PyO3 makes of a method sorts its arguments by a general plan, which costs more than finding the value. These two look
//! at the commonest call first, plain arguments and a key of an ASCII text or a small int; other keys, and stores, take a
//! longer way, and other arguments go to `_get` and `_set`, which PyO3 has made.

use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use crate::call::{guarded, guarded_alone};
use crate::calling;
use crate::given::{Tags, Ttl};
use crate::lasting::intern;
use crate::objects::Objects;

const GET: &CStr = c"get($self, key, default=None)
--

The value under `key`, else `default`; a stored None is no absence.

Raises `KeyRefused` for keys that have no canonical form, `Closed` after `close()`.";

const SET: &CStr = c"set($self, key, value, *, ttl=..., tags=())
--

Stores `value` under `key`, for `ttl` (else that of the cache's policy), with `tags`.

The jitter of the cache's policy shortens either. A computation of the key that is running is not stored.";

/// # Safety
/// `object` is an instance of [`Objects`] that outlives `'a`, and the thread is attached.
#[inline(always)]
unsafe fn objects<'a>(object: *mut ffi::PyObject) -> &'a Objects {
    // SAFETY: by contract; the class is frozen, so nobody has it mutably.
    unsafe {
        let objects =
            Borrowed::from_ptr(Python::assume_attached(), object).cast_unchecked::<Objects>();
        &*std::ptr::from_ref(objects.get())
    }
}

/// The arguments of a call as they lie on the interpreter's stack.
#[derive(Clone, Copy)]
struct Given {
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
}

impl Given {
    /// Whether these are so many plain arguments.
    #[inline(always)]
    fn plain(self, count: ffi::Py_ssize_t) -> bool {
        self.names.is_null() && self.count == count
    }

    /// # Safety
    /// The call has a plain argument at `index`, and outlives `'a`.
    #[inline(always)]
    unsafe fn at<'a, 'py>(self, index: usize) -> Borrowed<'a, 'py, PyAny> {
        // SAFETY: by contract.
        unsafe { Borrowed::from_ptr(Python::assume_attached(), *self.arguments.add(index)) }
    }

    /// The ttl of a call of `set` without tags, given or not; None for any other call.
    ///
    /// # Safety
    /// The call is not over, and the thread is attached.
    #[inline(always)]
    unsafe fn ttl(self) -> Option<PyResult<Ttl>> {
        if self.plain(2) {
            return Some(Ok(Ttl::Unsaid));
        }
        // SAFETY: by contract; the names of a call are a tuple of interned texts.
        unsafe {
            if self.count != 2 || self.names.is_null() || ffi::PyTuple_GET_SIZE(self.names) != 1 {
                return None;
            }
            let name = ffi::PyTuple_GET_ITEM(self.names, 0);
            let py = Python::assume_attached();
            (name == intern!(py, "ttl").as_ptr()).then(|| self.at(2).extract())
        }
    }

    /// What a `get` of one or two plain arguments gives for a key that is not there.
    ///
    /// # Safety
    /// The call is one, and is not over.
    unsafe fn otherwise(self) -> *mut ffi::PyObject {
        // SAFETY: by contract.
        unsafe {
            match self.count {
                1 => Python::assume_attached().None().into_ptr(),
                _ => self.at(1).to_owned().into_ptr(),
            }
        }
    }

    /// `get` where memory does not have the value of a plain key, or has not been asked.
    ///
    /// # Safety
    /// The call is not over, and the thread is attached.
    #[inline(never)]
    unsafe fn missed(self, object: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: by contract.
        unsafe {
            if (self.plain(1) || self.plain(2)) && objects(object).miss_common(self.at(0)) {
                return self.otherwise();
            }
            guarded(|| self.get(object))
        }
    }

    /// `get` where it takes more than a look at memory.
    ///
    /// # Safety
    /// The call is not over, and the thread is attached.
    unsafe fn get(self, object: *mut ffi::PyObject) -> PyResult<*mut ffi::PyObject> {
        // SAFETY: by contract.
        unsafe {
            let py = Python::assume_attached();
            if !(self.plain(1) || self.plain(2)) {
                return self.pass_on(object, intern!(py, "_get"));
            }
            let objects = Borrowed::from_ptr(py, object).cast_unchecked::<Objects>();
            let found = Objects::look(&objects, &self.at(0))?;
            Ok(found.map_or_else(|| self.otherwise(), Bound::into_ptr))
        }
    }

    /// `set` where it takes more than to put a value into memory.
    ///
    /// # Safety
    /// The call is not over, and the thread is attached.
    unsafe fn set(self, object: *mut ffi::PyObject) -> PyResult<*mut ffi::PyObject> {
        // SAFETY: by contract.
        unsafe {
            let py = Python::assume_attached();
            let Some(ttl) = self.ttl() else {
                return self.pass_on(object, intern!(py, "_set"));
            };
            let objects = Borrowed::from_ptr(py, object).cast_unchecked::<Objects>();
            let (key, value) = (self.at(0), self.at(1).to_owned());
            Objects::put(&objects, &key, value, (ttl?, Tags::default()))?;
            Ok(py.None().into_ptr())
        }
    }

    /// Calls the method of this name, which takes all arguments.
    ///
    /// # Safety
    /// The call is not over, and the thread is attached.
    unsafe fn pass_on(
        self,
        object: *mut ffi::PyObject,
        name: &Bound<'_, PyString>,
    ) -> PyResult<*mut ffi::PyObject> {
        // SAFETY: by contract.
        unsafe {
            let py = Python::assume_attached();
            let method = Borrowed::from_ptr(py, object).getattr(name)?;
            let count = self.count.cast_unsigned();
            let result = calling::vectorcall(method.as_ptr(), self.arguments, count, self.names);
            Bound::from_owned_ptr_or_err(py, result)
                .map(Bound::into_ptr)
                .map_err(|error| in_public(py, error))
        }
    }
}

unsafe extern "C" fn get(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let given = Given {
        arguments,
        count,
        names,
    };
    // SAFETY: a method descriptor calls this attached, with an instance of its class and as many arguments as it says.
    unsafe {
        if (given.plain(1) || given.plain(2))
            && let Some(value) = objects(object).hit_common(given.at(0))
        {
            return value.into_ptr();
        }
        given.missed(object)
    }
}

unsafe extern "C" fn set(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let given = Given {
        arguments,
        count,
        names,
    };
    if given.plain(2) {
        // SAFETY: as for `get`.
        let set = guarded_alone(|| unsafe {
            objects(object).set_common(given.at(0), given.at(1), Ttl::Unsaid)
        });
        match set {
            Some(false) => {}
            // SAFETY: as for `get`.
            Some(true) => return unsafe { Python::assume_attached() }.None().into_ptr(),
            None => return null_mut(),
        }
    }
    // SAFETY: as for `get`.
    guarded(|| unsafe {
        if !given.plain(2)
            && let Some(ttl) = given.ttl()
            && objects(object).set_common(given.at(0), given.at(1), ttl?)
        {
            return Ok(Python::assume_attached().None().into_ptr());
        }
        given.set(object)
    })
}

/// Gives the class its two methods; called once, when the module is made.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let class = module.py().get_type::<Objects>();
    add(&class, c"get", GET, get)?;
    add(&class, c"set", SET, set)
}

fn add(
    class: &Bound<'_, PyType>,
    name: &'static CStr,
    text: &'static CStr,
    method: ffi::PyCFunctionFastWithKeywords,
) -> PyResult<()> {
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: name.as_ptr().cast::<c_char>(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: method,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: text.as_ptr().cast::<c_char>(),
    }));
    // SAFETY: the definition lives for ever, and its function is of the kind that its flags say.
    let descriptor = unsafe {
        let descriptor = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(class.py(), descriptor)?
    };
    class.setattr(name.to_string_lossy(), descriptor)
}

/// An error of arguments that do not fit, with the verb's own name.
fn in_public(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyTypeError>(py) {
        return error;
    }
    let text = error.value(py).to_string();
    match text.strip_prefix("Objects._") {
        Some(rest) => PyTypeError::new_err(format!("Cache.{rest}")),
        None => error,
    }
}
