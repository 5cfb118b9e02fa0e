//! What is counted.

use std::collections::BTreeMap;

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, set_default_local_recorder,
};

use super::*;
use crate::breaker::{BreakerGuard, CircuitBreaker};
use crate::concurrency::{Concurrency, ConcurrencyGuard};
use crate::observe::metrics::{publish, turn_on};

/// A recorder that keeps each series by its name and labels.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<String, f64>>>);

struct Series(Kept, String);

impl Series {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut kept = self.0.0.lock().unwrap();
        let value = kept.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Series {
    fn increment(&self, by: u64) {
        self.change(|value| value + f64::from(u32::try_from(by).unwrap()));
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Series {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.change(|sum| sum + value);
    }
}

impl Kept {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value()));
        let labels = labels.collect::<Vec<_>>().join(",");
        Arc::new(Series(self.clone(), format!("{}{{{labels}}}", key.name())))
    }

    fn of(&self, name: &str) -> Vec<(String, f64)> {
        let kept = self.0.lock().unwrap();
        let of = kept.iter().filter(|(key, _)| key.split('{').next() == Some(name));
        of.map(|(key, value)| (key[name.len()..].to_owned(), *value)).collect()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

fn only_of(labels: &str, value: f64) -> Vec<(String, f64)> {
    vec![(labels.to_owned(), value)]
}

#[tokio::test(start_paused = true)]
async fn calls_attempts_waits_and_refusals_are_counted() {
    turn_on();
    let kept = Kept::default();
    let _recorder = set_default_local_recorder(&kept);
    let layer = ObserveLayer::new().named("users");
    layer.layer(at_the_second_attempt()).oneshot(get()).await.unwrap();
    tell(Event::Refused(&open()));
    tell(Event::Refused(&open()));
    tell(Event::NotRetried { layer: "retry", name: None, attempts: 3, why: Stop::AttemptsSpent });
    tell(Event::NotRetried { layer: "retry", name: None, attempts: 1, why: Stop::Succeeded });

    let of_users = "{name=users,outcome=success}";
    assert_eq!(kept.of("mainstay_calls_total"), only_of(of_users, 1.0));
    assert_eq!(kept.of("mainstay_call_seconds"), only_of(of_users, 0.12));
    assert_eq!(
        kept.of("mainstay_attempts_total"),
        [("{outcome=success}".to_owned(), 1.0), ("{outcome=transient}".to_owned(), 1.0)]
    );
    assert_eq!(kept.of("mainstay_extra_attempts_total"), only_of("{layer=retry}", 1.0));
    assert_eq!(kept.of("mainstay_wait_seconds"), only_of("{layer=retry,name=}", 0.1));
    assert_eq!(
        kept.of("mainstay_refusals_total"),
        only_of("{layer=circuit breaker,name=billing,reason=open}", 2.0)
    );
    assert_eq!(kept.of("mainstay_stops_total"), only_of("{reason=attempts_spent}", 1.0));
}

// A7
#[test]
fn a_state_that_is_left_clears() {
    turn_on();
    let kept = Kept::default();
    let _recorder = set_default_local_recorder(&kept);
    let state = |value| {
        let state = |state| format!("{{layer=circuit breaker,name=billing,state={state}}}");
        assert_eq!(kept.of("mainstay_state"), only_of(&state("isolated"), value));
    };
    let made = || BreakerGuard::new(CircuitBreaker::new()).unwrap().named("billing");
    let breaker = made();
    breaker.isolate();
    state(1.0);
    breaker.release();
    state(0.0);
    breaker.isolate();
    made().isolate(); // one of the same name comes and goes
    state(1.0);
    breaker.reset();
    state(0.0);
    assert_eq!(kept.of("mainstay_state_changes_total").len(), 2);
}

#[test]
fn numbers_are_set_when_they_are_published() {
    turn_on();
    let kept = Kept::default();
    let _recorder = set_default_local_recorder(&kept);
    let slots = Arc::new(ConcurrencyGuard::new(Concurrency::limit(7)).unwrap().named("db"));
    publish(&slots);
    slots.resize(9).unwrap();
    publish(&slots);
    let of = |state| format!("{{layer=concurrency limit,name=db,state={state}}}");
    assert_eq!(
        kept.of("mainstay_slots"),
        [(of("in use"), 0.0), (of("limit"), 9.0), (of("waiting"), 0.0)]
    );
}
