//! How the tiers behind memory are, as Python is told.

use std::time::Duration;

use everwarm_core::health::{Depth, Fact, Remark, Report};
use everwarm_engine::stack::Checkup;
use everwarm_layers::Watch;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::Shared;
use super::drive::drive_calmly;
use super::tier::Recipe;
use crate::errors;

/// How long all tiers together are waited for.
const LIMIT: Duration = Duration::from_secs(1);

/// The depth that users call so.
///
/// # Errors
/// `ConfigError` for one that does not exist.
pub(crate) fn depth_of(py: Python<'_>, name: &str) -> PyResult<Depth> {
    let found = Depth::ALL.into_iter().find(|depth| depth.name() == name);
    found.ok_or_else(|| {
        let hint = "write `\"ping\"`, `\"basic\"` or `\"full\"`";
        errors::config(py, "there is no such level of health", hint)
    })
}

/// How the tiers are: what was seen of each, and what looks at its layers.
pub(crate) struct Told(Vec<(Checkup, Watch)>);

impl Shared {
    /// What is seen of each tier, near to far.
    pub(crate) fn health(
        &self,
        py: Python<'_>,
        depth: Depth,
    ) -> PyResult<impl Future<Output = Vec<Checkup>> + Send + use<>> {
        Ok(self.stack(py)?.health(depth, LIMIT))
    }

    /// How each tier is, for a thread that waits. Stores behind a connection are not asked by blocking I/O, which nothing could end.
    pub(crate) fn health_now(&self, py: Python<'_>, depth: Depth) -> PyResult<Told> {
        Ok(self.told(drive_calmly(py, self.health(py, depth)?)?))
    }

    /// How each tier is by what was seen; for attached threads.
    pub(crate) fn told(&self, seen: Vec<Checkup>) -> Told {
        let watches = self.recipes().map(Recipe::watch);
        Told(seen.into_iter().zip(watches).collect())
    }
}

impl Told {
    /// Whether every tier answers.
    pub(crate) fn answers(&self) -> bool {
        let mut tiers = self.0.iter();
        tiers.all(|(checkup, _)| checkup.answered.is_ok())
    }

    /// The fields of each tier.
    pub(crate) fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let fields = self.0.iter().map(|(checkup, watch)| {
            let fields = PyDict::new(py);
            fields.set_item("name", &*checkup.label)?;
            looked(checkup, watch, &fields)?;
            PyResult::Ok(fields)
        });
        PyList::new(py, fields.collect::<PyResult<Vec<_>>>()?)
    }
}

fn looked(checkup: &Checkup, watch: &Watch, fields: &Bound<'_, PyDict>) -> PyResult<()> {
    let verdict = checkup.verdict(watch.breaker());
    let took = checkup.answered.as_ref().ok();
    let last = checkup.last_failure;
    fields.set_item("state", verdict.state.name())?;
    fields.set_item("latency", took.map(Duration::as_secs_f64))?;
    fields.set_item("last_error", last.map(|(kind, _)| kind.name()))?;
    fields.set_item("last_error_age", last.map(|(_, ago)| ago.as_secs_f64()))?;
    fields.set_item("breaker", watch.breaker().map(|state| state.name()))?;
    fields.set_item("means", verdict.means)?;
    fields.set_item("hint", verdict.hint)?;
    told(&checkup.report, &checkup.place, fields)
}

fn told(report: &Report, place: &str, fields: &Bound<'_, PyDict>) -> PyResult<()> {
    let facts = PyDict::new(fields.py());
    if !place.is_empty() {
        facts.set_item("place", place)?;
    }
    for (name, fact) in &report.facts {
        match fact {
            Fact::Count(count) => facts.set_item(*name, count)?,
            Fact::Text(text) => facts.set_item(*name, text)?,
        }
    }
    let remarks = report.remarks.iter();
    let remarks = remarks.map(
        |Remark {
             about,
             message,
             hint,
             ..
         }| (*about, message, hint),
    );
    fields.set_item("facts", facts)?;
    fields.set_item("warnings", remarks.collect::<Vec<_>>())
}
