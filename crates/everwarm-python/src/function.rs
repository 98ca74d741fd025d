//! A decorated function: its hit, and what a sync call does when it is no hit.

use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use everwarm_core::key::{Short, Writer};
use everwarm_engine::Ask;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{ffi, intern};

use crate::answer::{Answer, Mode, Status};
use crate::arguments::Arguments;
use crate::engine::{Arrival, Key, Turn};
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::parameter::{Parameter, is_instance_name};
use crate::settle::Flight;
use crate::signature::{Signature, Unkeyed};
use crate::table::Table;
use crate::terms::{KeySource, Terms, resolve};
use crate::{calling, errors, keys, modules, waiting};

/// What a `Call` holds.
pub(crate) struct Function {
    wrapped: Py<PyAny>,
    /// The Python `Cache`, which gives the table at the first use.
    cache: Py<PyAny>,
    /// Makes the coroutine of an awaited call that is no hit; None for sync functions.
    driver: Option<Py<PyAny>>,
    signature: Signature,
    terms: Py<Terms>,
    /// Whether the key is made of the arguments by the signature alone.
    by_arguments: bool,
    home: OnceLock<Home>,
}

impl Function {
    /// From `(wrapped, cache, driver or None, parameters, terms, is it known to be a method)`.
    pub(crate) fn from_arguments(arguments: &Bound<'_, PyTuple>) -> PyResult<Self> {
        type Fields<'py> = (
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Option<Bound<'py, PyAny>>,
            Vec<Parameter>,
            Bound<'py, Terms>,
        );
        let py = arguments.py();
        let (wrapped, cache, driver, parameters, terms): Fields<'_> = arguments.extract()?;
        if !wrapped.is_callable() {
            return Err(PyTypeError::new_err("only callables can be decorated"));
        }
        let signature = Signature::new(parameters);
        if signature.names(py).next().is_some_and(is_instance_name) {
            signature.mark_method();
        }
        let checked = terms.get();
        checked.key.check(py, &signature)?;
        checked.tags.check(py, &signature)?;
        Ok(Self {
            by_arguments: matches!(checked.key, KeySource::Arguments),
            wrapped: wrapped.unbind(),
            cache: cache.unbind(),
            driver: driver.map(Bound::unbind),
            signature,
            terms: terms.unbind(),
            home: OnceLock::new(),
        })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.driver.is_some()
    }

    pub(crate) fn wrapped<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.wrapped.bind(py)
    }

    pub(crate) fn terms(&self) -> &Terms {
        self.terms.get()
    }

    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The value of a call whose key is made of exact scalars and whose entry is fresh: the way of nearly every call.
    #[inline(always)]
    pub(crate) fn hit(&self, call: &Arguments<'_, '_>) -> Option<Object> {
        let home = self.home.get()?;
        if !self.by_arguments {
            return None;
        }
        match self
            .signature
            .shortest(call, Short::for_scope(home.scope.id()))
            .complete()
        {
            Some(key) => home.engine.hit(&home.scope, home.seed.hash_one(key), &key),
            None => self.hit_shorter(home, call),
        }
    }

    /// As [`hit`](Self::hit), for calls of another shape.
    #[inline(never)]
    fn hit_shorter(&self, home: &Home, call: &Arguments<'_, '_>) -> Option<Object> {
        let key = Short::for_scope(home.scope.id());
        match self.signature.shorter(call, key).complete() {
            Some(key) => home.engine.hit(&home.scope, home.seed.hash_one(key), &key),
            None => self.hit_short(home, call),
        }
    }

    /// As [`hit`](Self::hit), for calls of other scalars.
    #[inline(never)]
    fn hit_short(&self, home: &Home, call: &Arguments<'_, '_>) -> Option<Object> {
        let key = self
            .signature
            .short(call, Short::for_scope(home.scope.id()))
            .complete()?;
        home.engine.hit(&home.scope, home.seed.hash_one(key), &key)
    }

    /// The value of any call of a sync function.
    pub(crate) fn answer<'py>(&self, call: &Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.ask(call, Mode::Read)?.value.into_bound(call.py()))
    }

    /// The awaitable of a call of a coroutine function that was no hit at first sight.
    pub(crate) fn answer_later(
        &self,
        me: &Bound<'_, PyAny>,
        call: &Arguments<'_, '_>,
    ) -> PyResult<*mut ffi::PyObject> {
        let py = call.py();
        let home = self.home(py)?;
        match self.keyed(home, call) {
            Err(Unkeyed::Misfit) => {
                return Ok(self.bypass(home, call)?.value.into_bound(py).into_ptr());
            }
            Err(Unkeyed::Refused(error)) => return Err(error),
            Ok(keyed) => {
                if let Some(value) = home.engine.hit(&home.scope, keyed.hash, &keyed.key) {
                    return crate::ready::ready(py, value);
                }
            }
        }
        let driver = self
            .driver
            .as_ref()
            .ok_or_else(|| PyTypeError::new_err("not a coroutine function"))?;
        let (positional, named) = call.split()?;
        Ok(calling::call(
            driver.bind(py),
            [
                me.as_borrowed(),
                positional.as_any().as_borrowed(),
                named.as_any().as_borrowed(),
            ],
        )?
        .into_ptr())
    }

    /// Answers a call of a sync function, and says how.
    pub(crate) fn ask(&self, call: &Arguments<'_, '_>, mode: Mode) -> PyResult<Answer> {
        let py = call.py();
        let home = self.home(py)?;
        let keyed = match self.keyed(home, call) {
            Ok(keyed) => keyed,
            Err(Unkeyed::Misfit) => return self.bypass(home, call),
            Err(Unkeyed::Refused(error)) => return Err(error),
        };
        if mode == Mode::Read
            && let Some(value) = home.engine.hit(&home.scope, keyed.hash, &keyed.key)
        {
            return Ok(Answer {
                value,
                status: Status::Hit,
            });
        }
        let tags = self.tags(home, call);
        let chain = waiting::chain(py)?;
        let mut again = false;
        loop {
            let caller = waiting::caller(&chain, true);
            let ask = Ask {
                again,
                ..home.ask(&keyed, tags.as_deref(), caller)
            };
            match self.turn(py, home, ask, mode)? {
                Turn::Hit(value) => {
                    return Ok(Answer {
                        value,
                        status: Status::Hit,
                    });
                }
                Turn::Lead(lead) | Turn::Alone(lead) => {
                    let flight = Flight::new(home, lead, keyed, tags.is_some());
                    return Ok(Answer {
                        value: self.compute(call, home, flight)?,
                        status: mode.computed(),
                    });
                }
                Turn::Wait(ticket) => match waiting::wait(py, ticket)? {
                    Arrival::Value(value) => {
                        return Ok(Answer {
                            value,
                            status: Status::Follower,
                        });
                    }
                    Arrival::Failed(error) => return Err(waiting::own_copy(py, error)),
                    Arrival::Again => again = true,
                },
            }
        }
    }

    /// The engine's turn for a call that is no hit.
    pub(crate) fn turn(
        &self,
        py: Python<'_>,
        home: &Home,
        ask: Ask<'_, Key>,
        mode: Mode,
    ) -> PyResult<Turn> {
        match mode {
            Mode::Read => home
                .engine
                .begin(ask)
                .map_err(|_| errors::recursion(py, &self.title(py))),
            Mode::Refresh => Ok(Turn::Lead(home.engine.refresh(ask))),
        }
    }

    /// Calls the function past the cache, for arguments that it will not take.
    pub(crate) fn bypass(&self, home: &Home, call: &Arguments<'_, '_>) -> PyResult<Answer> {
        home.scope.count_bypass();
        let value = call.call(self.wrapped(call.py()))?.into();
        Ok(Answer {
            value,
            status: Status::Bypass,
        })
    }
}

impl Function {
    /// The table and scope of this function; found at the first use, when the cache is resolved.
    pub(crate) fn home(&self, py: Python<'_>) -> PyResult<&Home> {
        if let Some(home) = self.home.get() {
            return Ok(home);
        }
        let table = calling::call(&self.cache.bind(py).getattr(intern!(py, "_resolve"))?, [])?
            .cast_into::<Table>()?;
        let terms = self.terms();
        Ok(self
            .home
            .get_or_init(|| Home::new(table, terms.name.as_deref(), &terms.version)))
    }

    /// The key of a call.
    pub(crate) fn keyed(&self, home: &Home, call: &Arguments<'_, '_>) -> Result<Keyed, Unkeyed> {
        let mut key = Writer::for_scope(home.scope.id());
        let mut instance = None;
        match &self.terms().key {
            KeySource::Arguments => {
                self.signature.write(call, &mut key)?;
                instance = self.signature.instance(call)?.map(Bound::unbind);
            }
            KeySource::Callable(function) => {
                let made = call.call(function.bind(call.py()))?;
                keys::encode_argument(&made, &mut key, "key=")?;
            }
            KeySource::Template(template) => {
                for field in template.fields() {
                    let value = resolve(field, call, &self.signature)?;
                    keys::encode_argument(&value, &mut key, "key=")?;
                }
            }
        }
        let sealed = key.seal().map_err(|limit| keys::beyond(call.py(), limit))?;
        Ok(Keyed {
            hash: home.seed.hash_one(sealed),
            key: sealed.into(),
            instance,
        })
    }

    /// The tags of a call. Where they cannot be made, nothing may be stored, since nothing could invalidate it.
    pub(crate) fn tags(&self, home: &Home, call: &Arguments<'_, '_>) -> Option<Vec<Arc<str>>> {
        match self.terms().tags.of(call, &self.signature) {
            Ok(tags) => Some(tags),
            Err(Unkeyed::Misfit) => None,
            Err(Unkeyed::Refused(error)) => {
                home.scope.count_error();
                report(call.py(), "tags=", &error);
                None
            }
        }
    }
}

impl Function {
    /// The function's own name, for messages and stored names: `module.qualname` or the declared one.
    pub(crate) fn title(&self, py: Python<'_>) -> String {
        if let Some(name) = &self.terms().name {
            return name.clone();
        }
        let part = |name| {
            self.wrapped(py)
                .getattr(name)
                .and_then(|part| part.extract::<String>())
        };
        match (
            part(intern!(py, "__module__")),
            part(intern!(py, "__qualname__")),
        ) {
            (Ok(module), Ok(name)) => format!("{module}.{name}"),
            _ => crate::arguments::class_name(self.wrapped(py)),
        }
    }

    /// Shows the Python objects held here to the garbage collector.
    pub(crate) fn visit(&self, each: &mut impl FnMut(*mut ffi::PyObject)) {
        each(self.wrapped.as_ptr());
        each(self.cache.as_ptr());
        each(self.terms.as_ptr());
        if let Some(driver) = &self.driver {
            each(driver.as_ptr());
        }
        if let Some(home) = self.home.get() {
            each(home.table_ptr());
        }
        self.signature.visit(each);
    }
}

impl Drop for Function {
    /// The entries go with their function, unless others share them under a declared name.
    fn drop(&mut self) {
        if let Some(home) = self.home.get()
            && self.terms.get().name.is_none()
        {
            home.engine.drop_scope(&home.scope);
        }
    }
}

/// Says once, in the log, that a callable of the policy has failed.
pub(crate) fn report(py: Python<'_>, what: &str, error: &PyErr) {
    let said = modules::own(py, "everwarm._report")
        .and_then(|module| module.call_method1(intern!(py, "failed"), (what, error.value(py))));
    if let Err(failure) = said {
        failure.write_unraisable(py, None);
    }
}
