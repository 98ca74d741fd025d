//! One call of a decorated function, as what a value is asked of.

use pyo3::prelude::*;

use crate::arguments::Arguments;
use crate::ask::{Later, Source};
use crate::function::Function;
use crate::home::Home;
use crate::limits::{Overrides, Times};
use crate::object::Object;
use crate::settle::Flight;
use crate::settling::Settling;

/// One call of a function, as what a value is asked of.
pub(crate) struct Called<'a, 'c, 'py> {
    /// The function as Python has it.
    pub(crate) me: &'a Bound<'py, PyAny>,
    pub(crate) function: &'a Function,
    pub(crate) home: &'a Home,
    pub(crate) call: &'a Arguments<'c, 'py>,
    /// What the call is told of time.
    pub(crate) told: Overrides,
}

impl Source for Called<'_, '_, '_> {
    fn home(&self) -> &Home {
        self.home
    }

    fn title(&self, py: Python<'_>) -> String {
        self.function.title(py)
    }

    fn compute(&self, py: Python<'_>) -> PyResult<Object> {
        Ok(self.call.call(&self.function.computing(py))?.into())
    }

    fn times(&self) -> Times {
        Times::new(self.home, self.told)
    }

    fn settling(
        &self,
        py: Python<'_>,
        flight: Flight,
        value: &Object,
    ) -> PyResult<Option<Settling>> {
        Ok(self.function.settling(py, self.home, flight, value))
    }

    fn own(&self, py: Python<'_>, value: &Object) -> Option<Object> {
        self.function.try_copied(py, self.home, value)
    }

    fn later<'py>(&self, py: Python<'py>) -> PyResult<Later<'py>> {
        let (positional, named) = self.call.split()?;
        let asked = self.me.clone().unbind().into_bound(py);
        let (positional, named) = (positional.unbind(), named.unbind());
        Ok((asked, positional.into_bound(py), named.into_bound(py)))
    }
}
