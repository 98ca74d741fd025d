//! The keywords of a policy that say what becomes of values that are old, and of errors.

use std::time::Duration;

use everwarm_core::duration;
use everwarm_core::policy::{Negative, Policy, RefreshAhead, Sliding};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString, PyTuple, PyType};

use crate::errors;
use crate::failures::{Failures, Fallback};
use crate::terms::{span_of, wrong};

/// The longest duration that there is.
const WHATEVER_ITS_AGE: Duration = duration::LONGEST;

/// For how long reads lengthen lives, where nothing is said.
const SLIDES_FOR: Duration = Duration::from_secs(30 * 86_400);
/// What may be left of a ttl for a read to count, where nothing is said.
const HALF: f64 = 0.5;

/// What the keywords say, given by name; what is not given has its default.
pub(crate) struct Windows<'a, 'py>(pub(crate) &'a Bound<'py, PyDict>);

impl<'py> Windows<'_, 'py> {
    fn get(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let given = self.0.get_item(name)?;
        Ok(given.filter(|given| !given.is_none()))
    }

    fn span(&self, name: &str) -> PyResult<Option<Duration>> {
        self.get(name)?.map_or(Ok(None), |given| span_of(&given))
    }

    /// The policy with what they say of times.
    pub(crate) fn policy(&self, policy: Policy) -> PyResult<Policy> {
        let default = Policy::default().error_backoff;
        let whole = Policy {
            refresh_ahead: self.ahead()?,
            sliding: self.sliding()?,
            stale_while_revalidate: self.stale_for()?,
            stale_if_error: self.span("stale_if_error")?,
            error_backoff: self.span("error_backoff")?.unwrap_or(default),
            negative: self.nothing()?,
            ..policy
        };
        let has_window = whole.refresh_ahead.is_some()
            || whole.stale_while_revalidate.is_some()
            || whole.stale_if_error.is_some();
        if whole.error_backoff != default && !has_window {
            return Err(errors::config(
                self.0.py(),
                "error_backoff does nothing while no old value is served after a failure",
                "add `stale_if_error=\"1h\"` or another window, or leave error_backoff out",
            ));
        }
        Ok(whole)
    }

    /// When a fresh value is computed anew: on access, or as time goes by.
    fn ahead(&self) -> PyResult<Option<RefreshAhead>> {
        let every = self.span("refresh_every")?;
        match (self.get("refresh_ahead")?, every) {
            (None, every) => Ok(every.map(RefreshAhead::Every)),
            (Some(given), None) => refresh_ahead(&given).map(Some),
            (Some(given), Some(_)) => Err(errors::config(
                given.py(),
                "refresh_ahead and refresh_every say two times at which a value is computed anew",
                "leave one of them out: the former waits for a call, the latter does not",
            )),
        }
    }

    /// How reads lengthen lives: True, or the fraction of the ttl that may be left.
    fn sliding(&self) -> PyResult<Option<Sliding>> {
        let max_age = match self.0.get_item("sliding_max_age")? {
            Some(given) => span_of(&given)?.ok_or_else(|| {
                let hint = "write a duration such as `sliding_max_age=\"30d\"`: what is read for ever must end, too";
                errors::config(given.py(), "sliding_max_age is no duration", hint)
            })?,
            None => SLIDES_FOR,
        };
        let Some(given) = self.get("sliding")? else {
            return self.unslid(max_age);
        };
        let threshold = match given.cast::<PyBool>() {
            Ok(given) if !given.is_true() => return self.unslid(max_age),
            Ok(_) => HALF,
            Err(_) => given.extract::<f64>().map_err(|_| {
                let hint = "write `sliding=True`, or `sliding=0.1` for reads to count in the last tenth of the ttl";
                wrong(&given, "sliding is True, False or a fraction", hint)
            })?,
        };
        Ok(Some(Sliding { threshold, max_age }))
    }

    fn unslid(&self, max_age: Duration) -> PyResult<Option<Sliding>> {
        if max_age == SLIDES_FOR {
            return Ok(None);
        }
        Err(errors::config(
            self.0.py(),
            "sliding_max_age does nothing without sliding",
            "add `sliding=True`, or leave sliding_max_age out",
        ))
    }

    /// How long a value is served after its ttl while it is computed anew.
    fn stale_for(&self) -> PyResult<Option<Duration>> {
        let span = self.span("stale_while_revalidate")?;
        let Some(given) = self.get("serve_stale_next_time")? else {
            return Ok(span);
        };
        let whatever_its_age = given.extract::<bool>().map_err(|_| {
            let hint = "write `serve_stale_next_time=True`, or leave it out";
            wrong(&given, "serve_stale_next_time is True or False", hint)
        })?;
        match (whatever_its_age, span) {
            (false, span) => Ok(span),
            (true, None) => Ok(Some(WHATEVER_ITS_AGE)),
            (true, Some(_)) => Err(errors::config(
                given.py(),
                "stale_while_revalidate does nothing beside serve_stale_next_time",
                "leave one of them out: the latter serves a value however old it is",
            )),
        }
    }

    /// Refuses to serve what is old where nothing gets old.
    pub(crate) fn check_ttl(&self, ttl: Option<Duration>) -> PyResult<()> {
        match self.get("serve_stale_next_time")? {
            Some(given) if ttl.is_none() && given.is_truthy()? => Err(errors::config(
                given.py(),
                "serve_stale_next_time does nothing without a ttl",
                "add ttl=\"5m\" or another duration, or leave serve_stale_next_time out",
            )),
            _ => Ok(()),
        }
    }

    /// What they say of errors.
    pub(crate) fn failures(&self) -> PyResult<Failures> {
        let covers = self.get("stale_if_error_on")?;
        let covers = covers.map(|given| classes("stale_if_error_on", &given));
        Ok(Failures {
            covers: covers.transpose()?,
            fallback: match self.0.get_item("fallback")? {
                Some(given) if given.is(given.py().Ellipsis()) => None,
                Some(given) if given.is_callable() => Some(Fallback::Callable(given.unbind())),
                Some(given) => Some(Fallback::Value(given.unbind())),
                None => None,
            },
            remembers: self.remembered()?,
        })
    }

    /// How "nothing" is remembered.
    fn nothing(&self) -> PyResult<Option<Negative>> {
        match self.get("negative_ttl")? {
            None => Ok(None),
            Some(given) => match given.cast::<PyDict>() {
                Ok(by_class) => match by_class.get_item(given.py().None())? {
                    Some(ttl) => self.negative(&ttl).map(Some),
                    None => Ok(None),
                },
                Err(_) => self.negative(&given).map(Some),
            },
        }
    }

    /// How errors are remembered, by class.
    fn remembered(&self) -> PyResult<Vec<(Py<PyAny>, Negative)>> {
        let (ttl, on) = (self.get("negative_ttl")?, self.get("negative_on")?);
        let Some(ttl) = ttl else {
            for name in ["negative_on", "negative_growth", "negative_max_ttl"] {
                if self.get(name)?.is_some_and(|given| !is_one(&given)) {
                    return Err(errors::config(
                        self.0.py(),
                        &format!("{name} does nothing without a negative_ttl"),
                        &format!("add `negative_ttl=\"10s\"`, or leave {name} out"),
                    ));
                }
            }
            return Ok(Vec::new());
        };
        let Ok(by_class) = ttl.cast::<PyDict>() else {
            let negative = self.negative(&ttl)?;
            let on = on.map(|on| classes("negative_on", &on)).transpose()?;
            return Ok(on.into_iter().map(|on| (on, negative)).collect());
        };
        if let Some(on) = on {
            return Err(errors::config(
                on.py(),
                "negative_on says again what the classes of negative_ttl say",
                "leave negative_on out, or write one duration: `negative_ttl=\"10s\"`",
            ));
        }
        let named = by_class.iter().filter(|(class, _)| !class.is_none());
        named
            .map(|(class, ttl)| Ok((classes("negative_ttl", &class)?, self.negative(&ttl)?)))
            .collect()
    }

    /// How what has this ttl is remembered.
    fn negative(&self, ttl: &Bound<'py, PyAny>) -> PyResult<Negative> {
        let Some(ttl) = span_of(ttl)? else {
            return Err(errors::config(
                ttl.py(),
                "negative_ttl is no duration",
                "write `negative_ttl=\"10s\"`, or `{KeyError: \"10s\", None: \"1m\"}`",
            ));
        };
        let growth = match self.get("negative_growth")? {
            Some(given) => given.extract::<f64>().map_err(|_| {
                let hint = "write 2 to double it with each failure in a row";
                wrong(&given, "negative_growth is a number of at least 1", hint)
            })?,
            None => 1.0,
        };
        let most = self.span("negative_max_ttl")?;
        let endless = Duration::from_secs(86_400).max(ttl);
        Ok(Negative {
            ttl,
            growth,
            max_ttl: most.unwrap_or(if growth > 1.0 { endless } else { ttl }),
        })
    }
}

/// Whether it is the number one, by which nothing grows.
fn is_one(given: &Bound<'_, PyAny>) -> bool {
    given.extract::<f64>().is_ok_and(|number| number == 1.0)
}

/// When a fresh value is computed anew: a fraction, `"xfetch"` or `"xfetch:1.5"`.
fn refresh_ahead(given: &Bound<'_, PyAny>) -> PyResult<RefreshAhead> {
    let hint = "write `refresh_ahead=0.8` to compute anew once 80% of the ttl has passed, or `refresh_ahead=\"xfetch\"`";
    let Ok(text) = given.cast::<PyString>() else {
        let fraction = given.extract::<f64>();
        return fraction
            .map(RefreshAhead::Fraction)
            .map_err(|_| wrong(given, "refresh_ahead is a fraction or \"xfetch\"", hint));
    };
    let text = text.to_str()?;
    let beta = match text.strip_prefix("xfetch") {
        Some("") => Some(1.0),
        Some(beta) => beta.strip_prefix(':').and_then(|beta| beta.parse().ok()),
        None => None,
    };
    match beta {
        Some(beta) => Ok(RefreshAhead::XFetch { beta }),
        None => {
            let message = format!("refresh_ahead={text:?} is no way to refresh");
            Err(errors::config(given.py(), &message, hint))
        }
    }
}

/// Classes of exceptions, given as one or as a tuple.
fn classes(keyword: &str, given: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = given.py();
    let exception = py.get_type::<pyo3::exceptions::PyException>();
    let is_class = |given: &Bound<'_, PyAny>| {
        let class = given.cast::<PyType>();
        class.is_ok_and(|class| class.is_subclass(&exception).unwrap_or(false))
    };
    let all = match given.cast::<PyTuple>() {
        Ok(many) => !many.is_empty() && many.iter().all(|class| is_class(&class)),
        Err(_) => is_class(given),
    };
    if all {
        return Ok(given.clone().unbind());
    }
    Err(errors::config(
        py,
        &format!("{keyword} names classes of exceptions, as `except` does"),
        &format!("write `{keyword}=ConnectionError`, or a tuple of such classes"),
    ))
}
