//! How the tiers behind memory are, as Python is told.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::health::{Depth, Fact, Remark, Report, State};
use everwarm_core::store::Failure;
use everwarm_engine::stack::Checkup;
use everwarm_layers::Watch;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::Shared;
use super::drive::drive_calmly;
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

/// How the tiers are.
pub(crate) struct Told(Vec<TierTold>);

struct TierTold {
    name: Arc<str>,
    checkup: Result<(Checkup, Watch), Failure>,
}

impl Shared {
    /// What is seen of each tier that could be opened, near to far.
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

    /// How each tier is by what was seen, those that could not be opened among them; for attached threads.
    pub(crate) fn told(&self, seen: Vec<Checkup>) -> Told {
        let mut seen = seen.into_iter();
        let mut told: Vec<TierTold> = Vec::new();
        for recipe in self.recipes() {
            let checkup = match recipe.missing() {
                Some((scheme, failure)) => {
                    told.push(TierTold {
                        name: scheme.into(),
                        checkup: Err(failure),
                    });
                    continue;
                }
                None => seen.next(),
            };
            if let Some(checkup) = checkup {
                let watch = recipe.watch().unwrap_or_default();
                told.push(TierTold {
                    name: Arc::clone(&checkup.label),
                    checkup: Ok((checkup, watch)),
                });
            }
        }
        Told(told)
    }
}

impl Told {
    /// Whether every tier answers.
    pub(crate) fn answers(&self) -> bool {
        let mut tiers = self.0.iter();
        tiers.all(|tier| matches!(&tier.checkup, Ok((checkup, _)) if checkup.answered.is_ok()))
    }

    /// The fields of each tier.
    pub(crate) fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let fields = self.0.iter().map(|tier| tier.fields(py));
        PyList::new(py, fields.collect::<PyResult<Vec<_>>>()?)
    }
}

impl TierTold {
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item("name", &*self.name)?;
        match &self.checkup {
            Ok((checkup, watch)) => looked(checkup, watch, &fields)?,
            Err(failure) => missing(failure, &fields)?,
        }
        Ok(fields)
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

fn missing(failure: &Failure, fields: &Bound<'_, PyDict>) -> PyResult<()> {
    fields.set_item("state", State::Down.name())?;
    fields.set_item("last_error", failure.kind.name())?;
    for name in ["latency", "last_error_age", "breaker"] {
        fields.set_item(name, fields.py().None())?;
    }
    let means = format!(
        "it could not be opened: {}; the cache goes on without it",
        failure.message()
    );
    fields.set_item("means", means)?;
    fields.set_item("hint", failure.hint())?;
    told(&Report::default(), "", fields)
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
