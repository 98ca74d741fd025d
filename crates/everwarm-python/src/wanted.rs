//! What `get_or_compute` asks for: an object, what computes it, and how it is kept.

use std::sync::Arc;
use std::time::Duration;

use everwarm_engine::{Chance, Negative};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::ask::{Later, Source};
use crate::entries::keyed_whole;
use crate::given::{Tags, Ttl};
use crate::home::{Home, Keyed};
use crate::lasting::intern;
use crate::object::Object;
use crate::objects::Objects;
use crate::settle::Flight;
use crate::settling::{Kept, Settling};
use crate::{calling, context, once, texts};

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
        check(&compute)?;
        let home = Objects::open_for(objects)?;
        home.takes_tags(objects.py(), &tags.0)?;
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
    /// The tags that its entry carries.
    pub(crate) fn tags(&self, keyed: &Keyed) -> Vec<Arc<str>> {
        self.home.carried(keyed, self.tags.clone())
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
        let Some(flight) = once::settle(value.bind(py), &self.home, flight, title) else {
            return Ok(None);
        };
        let Some(shared) = self.home.try_copied(py, value) else {
            flight.lead.withhold();
            return Ok(None);
        };
        let lead = flight.lead.id();
        let said = context::take(py, lead)?.unwrap_or_default();
        let ttl = said.ttl.map_or(self.ttl, Ttl::Said);
        let skips = said.ttl == Some(Some(Duration::ZERO));
        let lifetime = self.objects.get().lifetime(&self.home, ttl);
        let negative = value
            .bind(py)
            .is_none()
            .then_some(flight.lead.negatives() + 1);
        let now = self.home.engine.now();
        let remembered = negative.and_then(|row| {
            let lifetime = self
                .home
                .policy
                .negative_lifetime(now, row - 1, &Chance::new())?;
            let is_error = false;
            Some((lifetime, Negative { row, is_error }))
        });
        let (lifetime, negative) = match remembered {
            Some((lifetime, negative)) => (lifetime, Some(negative)),
            None => (lifetime, None),
        };
        let weight = self.home().weight_of(value.bind(py));
        let weight = weight.filter(|_| flight.storable);
        if weight.is_none() {
            self.home().scope.count_refused();
        }
        let tags = self
            .home
            .naming
            .carried(flight.keyed.tenant.as_ref(), said.tags);
        let kept = weight.filter(|_| !skips).map(|weight| Kept {
            lifetime,
            negative,
            tags,
            etag: said.etag,
            weight,
        });
        Ok(Some(Settling {
            flight,
            value: shared,
            kept,
        }))
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
