//! An explanation for people.

use std::fmt;

use super::parts::Place;
use super::{Explanation, Step};
use crate::pipeline::fields::{Entry, Value};
use crate::pipeline::{Bound, Bounds};

/// How wide names are.
const WIDTH: usize = 26;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pipeline `{}`, from the outermost to the innermost", self.name)?;
        let mut place = None;
        for step in &self.steps {
            if place != Some(step.part.place) {
                place = Some(step.part.place);
                writeln!(f, "\n{}", heading(step.part.place))?;
            }
            step.write(f)?;
        }
        writeln!(f, "\nwhat is off")?;
        for part in &self.off {
            writeln!(f, "  {:WIDTH$}  {}", part.key, part.off)?;
        }
        for other in &self.hosts {
            writeln!(f, "\nfor `{}`, what differs", other.pattern)?;
            if other.settings.is_empty() {
                writeln!(f, "  nothing")?;
            }
            for (name, entry) in &other.settings {
                writeln!(f, "  {name:WIDTH$}  {}", shown(&entry.value))?;
            }
        }
        writeln!(f, "\nat worst")?;
        bounds(&self.bounds, f)?;
        match &*self.findings {
            [] => write!(f, "\nnothing is found that does not fit together"),
            [all @ .., last] => {
                writeln!(f, "\nwhat does not fit together")?;
                all.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
                write!(f, "{last}")
            }
        }
    }
}

const fn heading(place: Place) -> &'static str {
    match place {
        Place::Call => "for each call",
        Place::Again => "for whatever is sent again",
        Place::Host => "for each attempt, with a state for each host",
        Place::Attempt => "for each attempt",
    }
}

impl Step {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, is_shadow, is_beyond, settings } = self;
        let (own, others) = match &**settings {
            [(name, own), others @ ..] if name.is_empty() => (Some(own), others),
            others => (None, others),
        };
        let value = own.map(|own| format!(" {}", shown(&own.value))).unwrap_or_default();
        writeln!(f, "  {:WIDTH$}  {}", format!("{}{value}", part.key), part.does)?;
        if *is_shadow {
            writeln!(f, "    in shadow: it only says what it would do")?;
        }
        if *is_beyond {
            writeln!(f, "    a function is asked first")?;
        }
        if part.key == "rules" && others.is_empty() {
            return writeln!(f, "    as the table in `RetryRules` has it");
        }
        others.iter().try_for_each(|(name, entry)| setting(name, entry, f))
    }
}

fn setting(name: &str, entry: &Entry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let default = if entry.is_default { " (default)" } else { "" };
    writeln!(f, "    {name:0$}  {1}{default}", WIDTH - 2, shown(&entry.value))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Off => "not set".to_owned(),
        Value::On => "set".to_owned(),
        other => other.bare(),
    }
}

fn bounds(bounds: &Bounds, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Bounds { attempts, time, load, reserve, load_without_budget, slots, memory } = bounds;
    line(f, "attempts of a call", attempts, u64::to_string)?;
    line(f, "time of a call", time, |time| Value::Duration(*time).bare())?;
    line(f, "load in an outage", load, |load| {
        let beside = match reserve {
            Bound::AtMost(0) | Bound::Unbounded(_) => String::new(),
            Bound::AtMost(reserve) => format!(", and {reserve} attempts once for each host"),
        };
        format!("{} times the calls{beside}", round(*load))
    })?;
    line(f, "  if there were no budget", load_without_budget, |load| {
        format!("{} times the calls", round(*load))
    })?;
    line(f, "in flight for each host", slots, u64::to_string)?;
    line(f, "memory for each host", memory, |bytes| format!("{} kB", bytes.div_ceil(1_000)))
}

/// To a millionth, as budgets are kept.
fn round(load: f64) -> f64 {
    (load * 1e6).round() / 1e6
}

fn line<T>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    bound: &Bound<T>,
    show: impl Fn(&T) -> String,
) -> fmt::Result {
    match bound {
        Bound::AtMost(most) => writeln!(f, "  {name:WIDTH$}  {}", show(most)),
        Bound::Unbounded(why) => writeln!(f, "  {name:WIDTH$}  unbounded: {why}"),
    }
}
