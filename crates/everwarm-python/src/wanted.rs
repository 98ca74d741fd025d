//! What `get_or_compute` asks for: an object, what computes it, and how it is kept.

use std::sync::Arc;

use everwarm_engine::stack::Need;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::arguments::Spread;
use crate::ask::{Later, Source};
use crate::entries::keyed_whole;
use crate::given::{Tags, Ttl};
use crate::home::{Home, Keyed};
use crate::lasting::intern;
use crate::object::Object;
use crate::objects::Objects;
use crate::parameter::{Kind, Parameter, Treatment};
use crate::report::report;
use crate::settle::Flight;
use crate::settling::Settling;
use crate::signature::{Signature, Unkeyed};
use crate::{calling, errors, texts};

/// What the key is called in the tags of the cache's policy.
const KEY: &str = "key";

/// An object that is wanted; for awaited calls it stands where a decorated function does.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Wanted {
    objects: Py<Objects>,
    home: Arc<Home>,
    key: Py<PyAny>,
    compute: Py<PyAny>,
    ttl: Ttl,
    tags: Vec<Arc<str>>,
}

#[pymethods]
impl Wanted {
    #[new]
    pub(crate) fn new(
        objects: &Bound<'_, Objects>,
        key: Bound<'_, PyAny>,
        compute: Bound<'_, PyAny>,
        ttl: Ttl,
        tags: Tags,
    ) -> PyResult<Self> {
        let py = objects.py();
        check(&compute)?;
        let home = Objects::open_for(objects)?;
        home.takes_tags(py, &tags.0)?;
        check_policy(py, &home)?;
        Ok(Self {
            objects: objects.clone().unbind(),
            home,
            key: key.unbind(),
            compute: compute.unbind(),
            ttl,
            tags: tags.0,
        })
    }

    /// What computes it.
    #[getter]
    fn __wrapped__(&self, py: Python<'_>) -> Py<PyAny> {
        self.compute.clone_ref(py)
    }

    /// The cache that it belongs to.
    #[getter]
    fn _cache(&self, py: Python<'_>) -> Py<Objects> {
        self.objects.clone_ref(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.objects)?;
        visit.call(&self.key)?;
        visit.call(&self.compute)
    }
}

/// Refuses tags of the cache's policy that name what a key has not, and those that its stores cannot invalidate by.
fn check_policy(py: Python<'_>, home: &Home) -> PyResult<()> {
    let terms = home.terms.get();
    if let Some((tag, name)) = terms.tags.field_but(KEY) {
        let message = format!(
            "the tag {tag:?} of the cache's policy names `{name}`, and get_or_compute has only `{KEY}`"
        );
        let hint = "write it with `{key}`, or give it to the functions that it is for: `@cache(tags=[...])`";
        return Err(errors::config(py, &message, hint));
    }
    match &home.link {
        Some(link) if terms.tags_values() => link.require(py, Need::Tags),
        _ => Ok(()),
    }
}

/// Refuses what cannot compute.
pub(crate) fn check(compute: &Bound<'_, PyAny>) -> PyResult<()> {
    if compute.is_callable() {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!(
        "compute is a callable without arguments, not {}\nhint: write `lambda: load(key)`",
        texts::class(compute)?
    )))
}

impl Wanted {
    /// The tags that its entry carries: those that the call was told, and those that the policy gives for the key. Where these cannot be
    /// made nothing may be stored, since nothing could invalidate it.
    pub(crate) fn tags(&self, py: Python<'_>, keyed: &Keyed) -> Option<Vec<Arc<str>>> {
        let mut tags = self.tags.clone();
        match self.tags_of_policy(py) {
            Ok(more) => tags.extend(more),
            Err(Unkeyed::Misfit | Unkeyed::Nobody) => return None,
            Err(Unkeyed::Refused(error)) => {
                self.home.scope.count_error();
                report(py, &self.home, "tags=", &error);
                return None;
            }
        }
        Some(self.home.carried(keyed, tags))
    }

    /// The tags that the policy gives for a call whose only argument is the key.
    fn tags_of_policy(&self, py: Python<'_>) -> Result<Vec<Arc<str>>, Unkeyed> {
        let source = &self.home.terms.get().tags;
        if source.is_nothing() {
            return Ok(Vec::new());
        }
        let key = Parameter {
            name: PyString::new(py, KEY).unbind(),
            kind: Kind::Plain,
            default: None,
            treatment: Treatment::Content,
        };
        let (signature, key) = (Signature::new(vec![key]), self.key.bind(py));
        let call = Spread::new(&PyTuple::new(py, [key])?, &PyDict::new(py))?;
        call.with(py, |call| source.of(call, &signature))
    }

    /// Its key.
    pub(crate) fn keyed(&self, py: Python<'_>) -> PyResult<Keyed> {
        keyed_whole(self.home(), self.key.bind(py))
    }
}

impl Source for Wanted {
    fn home(&self) -> &Home {
        &self.home
    }

    fn title(&self, _: Python<'_>) -> String {
        "get_or_compute".to_owned()
    }

    fn compute(&self, py: Python<'_>) -> PyResult<Object> {
        let value = calling::call(self.compute.bind(py), [])?;
        let class = value.get_type();
        if class.hasattr(intern!(py, "__await__"))? && class.hasattr(intern!(py, "send"))? {
            value.call_method0(intern!(py, "close"))?;
            return Err(PyTypeError::new_err(
                "compute gave a coroutine, which can be awaited only once\n\
                 hint: write `await cache.aget_or_compute(key, compute)`",
            ));
        }
        Ok(value.into())
    }

    fn settling(
        &self,
        py: Python<'_>,
        flight: Flight,
        value: &Object,
    ) -> PyResult<Option<Settling>> {
        let title = || self.title(py);
        Ok(self.home.settling(py, flight, value, (title, self.ttl)))
    }

    fn own(&self, py: Python<'_>, value: &Object) -> Option<Object> {
        self.home.try_copied(py, value)
    }

    fn later<'py>(&self, py: Python<'py>) -> PyResult<Later<'py>> {
        let again = Self {
            objects: self.objects.clone_ref(py),
            home: Arc::clone(&self.home),
            key: self.key.clone_ref(py),
            compute: self.compute.clone_ref(py),
            ttl: self.ttl,
            tags: self.tags.clone(),
        };
        let asked = Bound::new(py, again)?.into_any();
        Ok((asked, PyTuple::empty(py), PyDict::new(py)))
    }
}
