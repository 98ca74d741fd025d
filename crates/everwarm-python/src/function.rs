//! A decorated function: its hit, and what a sync call does when it is no hit.

use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use everwarm_core::key::{Header, Short, Writer};
use everwarm_core::using::Plan;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::answer::{Answer, Status};
use crate::arguments::Arguments;
use crate::called::Called;
use crate::engine::Key;
use crate::format::Plan as Format;
use crate::home::{Found, Home, Keyed};
use crate::index::Index;
use crate::lasting::intern;
use crate::limits::Overrides;
use crate::listener::Title;
use crate::object::Object;
use crate::own::Own;
use crate::parameter::{Parameter, is_instance_name};
use crate::report::report;
use crate::shared::{Declared, Link};
use crate::signature::{Signature, Unkeyed};
use crate::table::Table;
use crate::terms::{KeySource, Terms, resolve};
use crate::{ask, calling, errors, keys, modules, texts};

/// What a `Call` holds.
pub(crate) struct Function {
    wrapped: Py<PyAny>,
    /// The Python `Cache`, which gives the table at the first use.
    cache: Py<PyAny>,
    /// Makes the coroutine of an awaited call that is no hit; None for sync functions.
    driver: Option<Py<PyAny>>,
    signature: Signature,
    terms: Py<Terms>,
    /// The parameters that entries can be let go by, if there are any.
    index: Option<Index>,
    /// Whether a hit may be given at once: its key is made by the signature alone, and its value goes out as it is.
    at_once: bool,
    home: OnceLock<Home>,
    /// Where it lives since its cache was taken back.
    later: Mutex<Option<Arc<Home>>>,
    /// What a test has computed in the function's place.
    stand_in: Mutex<Option<Py<PyAny>>>,
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
        if let Some(tenancy) = &checked.tenancy {
            tenancy.check(py, &signature)?;
        }
        let index = Index::new(py, &checked.indexed, (&signature, &checked.key))?;
        Ok(Self {
            index,
            at_once: matches!(checked.key, KeySource::Arguments) && checked.isolate.is_none(),
            wrapped: wrapped.unbind(),
            cache: cache.unbind(),
            driver: driver.map(Bound::unbind),
            signature,
            terms: terms.unbind(),
            home: OnceLock::new(),
            later: Mutex::new(None),
            stand_in: Mutex::new(None),
        })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.driver.is_some()
    }

    pub(crate) fn wrapped<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.wrapped.bind(py)
    }

    /// What computes its values: the function, unless a test says otherwise.
    pub(crate) fn computing<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match &*self.stand_in.lock() {
            Some(stand_in) => stand_in.bind(py).clone(),
            None => self.wrapped(py).clone(),
        }
    }

    /// Has something else compute its values, or the function again.
    pub(crate) fn stand_in(&self, stand_in: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut *self.stand_in.lock(), stand_in);
        drop(before);
    }

    pub(crate) fn terms(&self) -> &Terms {
        self.terms.get()
    }

    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    pub(crate) fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// Whether each call goes past the cache, since it was told to keep no entries.
    pub(crate) fn keeps_nothing(&self) -> bool {
        matches!(&self.terms().key, KeySource::Own(own) if !own.keeps)
    }

    /// The value of a call whose key is made of exact scalars and whose entry is fresh: the way of nearly every call.
    #[inline(always)]
    pub(crate) fn hit(&self, call: &Arguments<'_, '_>) -> Option<Object> {
        let home = self.home.get()?;
        if !home.gate.is_open() {
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
    pub(crate) fn answer<'py>(
        &self,
        me: &Bound<'py, PyAny>,
        call: &Arguments<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(self
            .ask(me, call, (Plan::ORDINARY, Overrides::default()))?
            .value
            .into_bound(call.py()))
    }

    /// The awaitable of a call of a coroutine function that was no hit at first sight.
    pub(crate) fn answer_later(
        &self,
        me: &Bound<'_, PyAny>,
        call: &Arguments<'_, '_>,
    ) -> PyResult<*mut ffi::PyObject> {
        let py = call.py();
        let found = self.home(py)?;
        let home = &*found;
        if home.is_disabled(py)? {
            return Ok(self.bypass(home, call)?.value.into_bound(py).into_ptr());
        }
        match self.keyed(home, call) {
            Err(Unkeyed::Nobody) if home.strict => return Err(errors::nobody(py, &self.title(py))),
            Err(Unkeyed::Misfit | Unkeyed::Nobody) => {
                return Ok(self.bypass(home, call)?.value.into_bound(py).into_ptr());
            }
            Err(Unkeyed::Refused(error)) => return Err(error),
            Ok(keyed) => {
                if self.terms().isolate.is_none()
                    && let Some(value) = home.engine.hit(&home.scope, keyed.hash, &keyed.key)
                {
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
    pub(crate) fn ask<'py>(
        &self,
        me: &Bound<'py, PyAny>,
        call: &Arguments<'_, 'py>,
        (plan, told): (Plan, Overrides),
    ) -> PyResult<Answer> {
        let py = call.py();
        let found = self.home(py)?;
        let home = &*found;
        if plan == Plan::Skip || home.is_disabled(py)? {
            return self.bypass(home, call);
        }
        let keyed = match self.keyed(home, call) {
            Ok(keyed) => keyed,
            Err(Unkeyed::Nobody) if home.strict => return Err(errors::nobody(py, &self.title(py))),
            Err(Unkeyed::Misfit | Unkeyed::Nobody) => return self.bypass(home, call),
            Err(Unkeyed::Refused(error)) => return Err(error),
        };
        if let Some((value, freshness)) = self.found(py, home, &keyed, plan)? {
            return Ok(match self.try_copied(py, home, &value) {
                Some(value) => Answer::new(value, Status::served(freshness)),
                None => Answer::new(call.call(&self.computing(py))?.into(), Status::Bypass),
            });
        }
        let tags = self.tags(home, call, &keyed);
        let source = Called {
            me,
            function: self,
            home,
            call,
            told,
        };
        ask::answer(py, &source, keyed, tags, plan)
    }

    /// Calls the function past the cache: for arguments that it will not take, and where it is disabled.
    pub(crate) fn bypass(&self, home: &Home, call: &Arguments<'_, '_>) -> PyResult<Answer> {
        home.scope.count_bypass();
        let value = call.call(&self.computing(call.py()))?.into();
        Ok(Answer::new(value, Status::Bypass))
    }
}

impl Function {
    /// The table and scope of this function; found at the first use, when the cache is resolved.
    pub(crate) fn home(&self, py: Python<'_>) -> PyResult<Found<'_>> {
        if let Some(home) = self.home.get().filter(|home| !home.is_left()) {
            return Ok(Found::First(home));
        }
        let later = self.later.lock().clone();
        if let Some(home) = later.filter(|home| !home.is_left()) {
            return Ok(Found::Later(home));
        }
        let table = calling::call(&self.cache.bind(py).getattr(intern!(py, "_resolve"))?, [])?
            .cast_into::<Table>()?;
        let listener = table.get().listener.clone();
        let introduced = listener.map(|listener| (listener, self.listed(py)));
        let link = self.link(&table)?;
        let make = || {
            let home = Home::new(
                table.clone(),
                self.terms.bind(py),
                self.at_once,
                link.clone(),
            );
            if let Some((listener, title)) = &introduced {
                listener.introduce(&home.scope, Some(Arc::clone(title)));
            }
            home
        };
        // Of several threads that come here at once the first decides.
        let first = self.home.get_or_init(&make);
        Ok(if first.is_left() {
            Found::Later(self.find_later(make))
        } else {
            Found::First(first)
        })
    }

    /// How its values lie in the stores of a cache, if that has any and other processes can know the function.
    fn link(&self, table: &Bound<'_, Table>) -> PyResult<Option<Arc<Link>>> {
        let py = table.py();
        let Some(shared) = &table.get().shared else {
            return Ok(None);
        };
        let told = modules::own(py, "everwarm._stored")?.call_method1(
            intern!(py, "of_function"),
            (self.wrapped(py), &self.cache, &self.terms),
        )?;
        type Told<'py> = (String, String, Bound<'py, Format>, Vec<Declared<'py>>);
        let Some((name, schema, format, older)) = told.extract::<Option<Told<'_>>>()? else {
            return Ok(None);
        };
        let title = self.listed(py);
        let parameters: Vec<&str> = title.parameters.iter().map(String::as_str).collect();
        let header = Header {
            function: &name,
            version: &title.version,
            parameters: &parameters,
        };
        let link = Link::new(
            Arc::clone(shared),
            &header,
            (&schema, format.unbind()),
            older,
        )
        .map_err(|limit| keys::beyond(py, limit))?;
        for need in self.terms().needs() {
            link.require(py, need)?;
        }
        Ok(Some(Arc::new(link)))
    }

    /// The home after the first was left; here too the first decides.
    #[cold]
    fn find_later(&self, make: impl FnOnce() -> Home) -> Arc<Home> {
        let made = Arc::new(make());
        let mut later = self.later.lock();
        if let Some(home) = &*later
            && !home.is_left()
        {
            return Arc::clone(home);
        }
        let left = later.replace(Arc::clone(&made));
        drop(later);
        drop(left);
        made
    }

    /// The key of a call.
    pub(crate) fn keyed(&self, home: &Home, call: &Arguments<'_, '_>) -> Result<Keyed, Unkeyed> {
        let mut key = Writer::for_scope(home.scope.id());
        let tenant = match &home.tenancy {
            Some(tenancy) => tenancy.of_call(call, &self.signature)?,
            None => None,
        };
        match &tenant {
            Some(tenant) => key.bytes(&tenant.0),
            None if home.tenancy.is_some() => return Err(Unkeyed::Nobody),
            None => {}
        }
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
            KeySource::Own(own) => return self.numbered(home, call, *own),
            KeySource::Template(template) => {
                for field in template.fields() {
                    let value = resolve(field, call, &self.signature)?;
                    keys::encode_argument(&value, &mut key, "key=")?;
                }
            }
        }
        let sealed = key.seal().map_err(|limit| keys::beyond(call.py(), limit))?;
        let (hash, sealed) = (home.seed.hash_one(sealed), sealed.into());
        Ok(Keyed {
            hash,
            key: sealed,
            instance,
            bound: key.is_process_bound(),
            tenant,
        })
    }

    /// The key of a call whose arguments are told apart by their own `==`.
    fn numbered(&self, home: &Home, call: &Arguments<'_, '_>, own: Own) -> Result<Keyed, Unkeyed> {
        if !own.keeps {
            return Err(Unkeyed::Misfit);
        }
        let key = Key::Own(home.numbers.number(call, own.typed)?);
        Ok(Keyed {
            hash: home.seed.hash_one(&key),
            key,
            instance: None,
            bound: true,
            tenant: None,
        })
    }

    /// The tags that a call's arguments give: those of the policy, and those of the index.
    pub(crate) fn given_tags(
        &self,
        home: &Home,
        call: &Arguments<'_, '_>,
    ) -> Result<Vec<Arc<str>>, Unkeyed> {
        let mut tags = self.terms().tags.of(call, &self.signature)?;
        if let Some(index) = &self.index {
            tags.extend(index.of_call(home, &self.signature, call)?);
        }
        Ok(tags)
    }

    /// The tags of a call. Where they cannot be made, nothing may be stored, since nothing could invalidate it.
    pub(crate) fn tags(
        &self,
        home: &Home,
        call: &Arguments<'_, '_>,
        keyed: &Keyed,
    ) -> Option<Vec<Arc<str>>> {
        match self.given_tags(home, call) {
            Ok(tags) => Some(home.carried(keyed, tags)),
            Err(Unkeyed::Misfit | Unkeyed::Nobody) => None,
            Err(Unkeyed::Refused(error)) => {
                home.scope.count_error();
                report(call.py(), home, "tags=", &error);
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

    /// What the stored names of its entries are made of.
    fn listed(&self, py: Python<'_>) -> Arc<Title> {
        Arc::new(Title {
            function: self.title(py),
            version: self.terms().version.clone(),
            parameters: self.signature.names(py).map(texts::of).collect(),
        })
    }

    /// Shows the Python objects held here to the garbage collector.
    pub(crate) fn visit(&self, each: &mut impl FnMut(*mut ffi::PyObject)) {
        each(self.wrapped.as_ptr());
        each(self.cache.as_ptr());
        each(self.terms.as_ptr());
        if let Some(driver) = &self.driver {
            each(driver.as_ptr());
        }
        if let Some(stand_in) = &*self.stand_in.lock() {
            each(stand_in.as_ptr());
        }
        if let Some(home) = self.home.get() {
            each(home.table_ptr());
        }
        if let Some(home) = self.later.lock().as_ref() {
            each(home.table_ptr());
        }
        self.signature.visit(each);
    }
}

impl Drop for Function {
    /// The entries go with their function, unless others share them under a declared name.
    fn drop(&mut self) {
        if self.terms.get().name.is_some() {
            return;
        }
        let later = self.later.lock().take();
        for home in self.home.get().into_iter().chain(later.as_deref()) {
            home.engine.drop_scope(&home.scope);
            home.forget();
        }
    }
}
