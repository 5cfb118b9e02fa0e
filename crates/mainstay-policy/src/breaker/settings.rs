//! When a breaker opens and how it comes back: the settings.

use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::settings::{Checks, SettingsError};
use crate::window::Cut;

/// When a breaker opens and how it comes back: the settings.
///
/// | setting | default | why |
/// |---|---|---|
/// | [`consecutive_failures`](CircuitBreaker::consecutive_failures) | 5 | opens within five calls when everything fails, at any rate of calls |
/// | [`failure_ratio`](CircuitBreaker::failure_ratio) | 0.5 | half of what is asked fails: asking costs more than it brings |
/// | [`min_calls`](CircuitBreaker::min_calls) | 10 | fewer results say nothing about a ratio |
/// | [`window`](CircuitBreaker::window) | the last 10 s | longer than the usual attempt timeout, short enough to forget |
/// | [`slow_calls`](CircuitBreaker::slow_calls) | off | what is slow is known to you alone |
/// | [`open_time`](CircuitBreaker::open_time) | 1 s, doubling up to 30 s, equal jitter | a blip costs a second; an outage is asked twice a minute |
/// | [`probes`](CircuitBreaker::probes) | 3 | one answer can be luck |
/// | [`probe_time`](CircuitBreaker::probe_time) | 10 s | longer than an attempt timeout, so that only what has none is given up |
/// | [`abandoned_after`](CircuitBreaker::abandoned_after) | 5 s | who gives up that late has timed out; sooner, has changed their mind |
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
#[must_use]
pub struct CircuitBreaker {
    /// The row of failures that opens it, if any does.
    pub consecutive_failures: Option<u32>,
    /// The part of failures in the window that opens it, if any does.
    pub failure_ratio: Option<f64>,
    /// Which calls are slow, and the part of them that opens it, if any does.
    pub slow_calls: Option<Slow>,
    /// The fewest results by which a ratio is judged.
    pub min_calls: u32,
    /// The results that a ratio is judged by.
    pub window: Span,
    /// The schedule of open times, one for each time that it opens without having closed.
    pub open_time: Backoff,
    /// The number of probes that must succeed to close it.
    pub probes: u32,
    /// For how long after the last probe those that are out are waited for.
    pub probe_time: Duration,
    /// From what time on a call that was dropped counts as a failure, if it ever does.
    pub abandoned_after: Option<Duration>,
}

/// The rule by which slow calls open a breaker.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Slow {
    /// From what time on a call is slow.
    pub longer_than: Duration,
    /// The part of slow calls in the window that opens it.
    pub ratio: f64,
}

/// How far back a breaker looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// Results of the last so and so long, in ten slices: a result leaves between nine tenths of
    /// the time and all of it after it came.
    Time(Duration),
    /// The last so many results; above 64 they leave a part at a time, and it holds up to a 32nd
    /// fewer.
    Calls(u32),
}

impl Span {
    pub(super) fn cut(self) -> Cut {
        match self {
            Self::Time(time) => Cut::of_time(time),
            Self::Calls(calls) => Cut::of_results(calls),
        }
    }

    /// How many results it holds at any time once it has seen enough of them.
    fn surely_holds(self) -> u64 {
        match self {
            Self::Time(_) => u64::from(CircuitBreaker::MOST_CALLS),
            Self::Calls(_) => {
                let Cut { count, slice, .. } = self.cut();
                (count - 1) * slice + 1
            }
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self::new()
    }
}

impl CircuitBreaker {
    /// The most probes there can be.
    pub const MOST_PROBES: u32 = 1_000;
    /// The most results that a window of calls can hold.
    pub const MOST_CALLS: u32 = 1_000_000;
    pub(super) const MOST_CONSECUTIVE: u32 = 1_000_000;

    /// A breaker with the defaults.
    pub const fn new() -> Self {
        Self {
            consecutive_failures: Some(5),
            failure_ratio: Some(0.5),
            slow_calls: None,
            min_calls: 10,
            window: Span::Time(Duration::from_secs(10)),
            open_time: Backoff::exponential(Duration::from_secs(1))
                .cap(Duration::from_secs(30))
                .jitter(Jitter::Equal),
            probes: 3,
            probe_time: Duration::from_secs(10),
            abandoned_after: Some(Duration::from_secs(5)),
        }
    }

    /// Opens at so many failures in a row; `None`: never for that.
    pub const fn consecutive_failures(mut self, failures: Option<u32>) -> Self {
        self.consecutive_failures = failures;
        self
    }

    /// Opens when at least this part of the results in the window are failures; `None`: never for
    /// that.
    pub const fn failure_ratio(mut self, ratio: Option<f64>) -> Self {
        self.failure_ratio = ratio;
        self
    }

    /// Opens when at least this part of the results in the window, good or bad, took this long or
    /// longer. A probe that does has failed.
    pub const fn slow_calls(mut self, longer_than: Duration, ratio: f64) -> Self {
        self.slow_calls = Some(Slow { longer_than, ratio });
        self
    }

    /// How many results the window must hold before a ratio counts.
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// How far back the ratios look.
    pub const fn window(mut self, span: Span) -> Self {
        self.window = span;
        self
    }

    /// How long it stays open: the first time, and each further time until it has closed again.
    /// It grows for the first 31 times.
    pub const fn open_time(mut self, open_time: Backoff) -> Self {
        self.open_time = open_time;
        self
    }

    /// How many probes must succeed, one after the other failing none, before it closes. The first
    /// goes alone; each success lets one more go at a time.
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// When every place is held and no probe has gone out for this long, those that are out are
    /// given up: their places are free, and their answers count no more.
    pub const fn probe_time(mut self, time: Duration) -> Self {
        self.probe_time = time;
        self
    }

    /// A call that is dropped says nothing, unless it had run so long: then it has failed. `None`:
    /// it never says anything.
    pub const fn abandoned_after(mut self, time: Option<Duration>) -> Self {
        self.abandoned_after = time;
        self
    }

    /// Says what cannot be used as it is.
    ///
    /// # Errors
    ///
    /// No rule to open by, counts of zero, ratios that are not above 0 and at most 1, times of
    /// nothing, a floor of calls that the window cannot hold, an open time that may come out as
    /// nothing.
    pub fn check(&self) -> Result<(), SettingsError> {
        let has_rule = self.consecutive_failures.is_some() || self.looks_back();
        let mut checks = Checks::default().require(
            has_rule,
            "consecutive_failures",
            self.consecutive_failures,
            "be set where no ratio is: nothing would ever open it",
        );
        if let Some(failures) = self.consecutive_failures {
            checks = checks.at_least_one("consecutive_failures", failures).at_most(
                "consecutive_failures",
                failures,
                Self::MOST_CONSECUTIVE,
            );
        }
        if let Some(ratio) = self.failure_ratio {
            checks = checks.ratio_above_zero("failure_ratio", ratio);
        }
        if let Some(slow) = self.slow_calls {
            checks = checks
                .above_zero("slow_calls.longer_than", slow.longer_than)
                .ratio_above_zero("slow_calls.ratio", slow.ratio);
        }
        checks = checks.at_least_one("min_calls", self.min_calls);
        checks = match self.window {
            Span::Time(time) => checks.require(
                (Duration::from_millis(1)..=Self::LONGEST).contains(&time),
                "window",
                time,
                "be between 1ms and a day",
            ),
            Span::Calls(calls) => {
                checks.at_least_one("window", calls).at_most("window", calls, Self::MOST_CALLS)
            }
        };
        let held = self.window.surely_holds();
        checks
            .require(
                u64::from(self.min_calls) <= held || !self.looks_back(),
                "min_calls",
                self.min_calls,
                format_args!("be at most {held}, which is what `window` surely holds"),
            )
            .within("open_time", self.check_open_time())
            .at_least_one("probes", self.probes)
            .at_most("probes", self.probes, Self::MOST_PROBES)
            .above_zero("probe_time", self.probe_time)
            .require(
                self.probe_time <= Self::LONGEST,
                "probe_time",
                self.probe_time,
                "be at most a day",
            )
            .done()
    }

    /// The longest window, open time and probe time.
    pub const LONGEST: Duration = Duration::from_secs(86_400);

    fn check_open_time(&self) -> Result<(), SettingsError> {
        let jitter = self.open_time.jitter;
        let longest = self.open_time.longest();
        let own = self.open_time.check();
        let nothing = own.is_ok() && self.open_time.envelope(1).is_zero(); // constant waits may be
        Checks::default()
            .also(own)
            .require(!nothing, "base", Duration::ZERO, "be longer than nothing")
            .require(longest <= Self::LONGEST, "cap", longest, "be at most a day")
            .require(
                matches!(jitter, Jitter::None | Jitter::Equal),
                "jitter",
                jitter,
                "be None or Equal: others may leave no open time at all",
            )
            .done()
    }

    /// Which kinds of hits the window holds: failures, and slow calls.
    pub(super) const fn asks_for(&self) -> [bool; 2] {
        [self.looks_back(), self.slow_calls.is_some()]
    }

    /// Whether any rule needs the window.
    const fn looks_back(&self) -> bool {
        self.failure_ratio.is_some() || self.slow_calls.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(settings: CircuitBreaker) -> String {
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_have_nothing_to_mend() {
        assert_eq!(CircuitBreaker::new().check(), Ok(()));
        assert_eq!(CircuitBreaker::default(), CircuitBreaker::new());
    }

    #[test]
    fn counts_of_zero_are_named() {
        let settings = CircuitBreaker::new;
        let must = "is 0, but must be at least 1";
        let zero = |name: &str| format!("`{name}` {must}");
        assert_eq!(says(settings().probes(0)), zero("probes"));
        assert_eq!(says(settings().min_calls(0)), zero("min_calls"));
        let none = settings().consecutive_failures(Some(0));
        assert_eq!(says(none), zero("consecutive_failures"));
        let none = settings().window(Span::Calls(0)).failure_ratio(None).min_calls(1);
        assert_eq!(says(none), zero("window"));
    }

    #[test]
    fn counts_that_no_word_holds_are_named() {
        let settings = CircuitBreaker::new;
        assert_eq!(says(settings().probes(1001)), "`probes` is 1001, but must be at most 1000");
        let many = settings().consecutive_failures(Some(1_000_001));
        let must = "is 1000001, but must be at most 1000000";
        assert_eq!(says(many), format!("`consecutive_failures` {must}"));
        let many = settings().window(Span::Calls(1_000_001));
        assert_eq!(says(many), format!("`window` {must}"));
    }

    #[test]
    fn ratios_that_are_none_are_named() {
        for ratio in [0.0, -0.5, 1.01, f64::NAN] {
            let must = format!("is {ratio:?}, but must be above 0 and at most 1");
            let settings = CircuitBreaker::new().failure_ratio(Some(ratio));
            assert_eq!(says(settings), format!("`failure_ratio` {must}"));
            let settings = CircuitBreaker::new().slow_calls(Duration::from_secs(1), ratio);
            assert_eq!(says(settings), format!("`slow_calls.ratio` {must}"));
        }
        assert_eq!(CircuitBreaker::new().failure_ratio(Some(1.0)).check(), Ok(()));
    }

    #[test]
    fn times_that_are_none_are_named() {
        let settings = CircuitBreaker::new;
        let must = "is 0ns, but must be longer than nothing";
        let zero = Duration::ZERO;
        assert_eq!(says(settings().probe_time(zero)), format!("`probe_time` {must}"));
        let slow = settings().slow_calls(zero, 0.5);
        assert_eq!(says(slow), format!("`slow_calls.longer_than` {must}"));
        let open = settings().open_time(Backoff::constant(zero));
        assert_eq!(says(open), format!("`open_time.base` {must}"));
        for time in [zero, Duration::from_micros(999), Duration::from_secs(86_401)] {
            let window = says(settings().window(Span::Time(time)));
            assert_eq!(window, format!("`window` is {time:?}, but must be between 1ms and a day"));
        }
        let more_than_a_day = Duration::from_secs(86_400) + Duration::from_nanos(1);
        let long = settings().probe_time(more_than_a_day);
        assert!(says(long).ends_with("but must be at most a day"));
        assert_eq!(settings().probe_time(CircuitBreaker::LONGEST).check(), Ok(()));
        let long = settings().open_time(Backoff::constant(more_than_a_day));
        assert!(says(long).starts_with("`open_time.cap` is"));
        let long = settings().open_time(Backoff::constant(CircuitBreaker::LONGEST));
        assert_eq!(long.check(), Ok(()));
        let day = Span::Time(Duration::from_secs(86_400));
        assert_eq!(settings().window(day).check(), Ok(()));
        assert_eq!(settings().window(Span::Time(Duration::from_millis(1))).check(), Ok(()));
    }

    #[test]
    fn a_breaker_that_nothing_opens_is_no_breaker() {
        let none = CircuitBreaker::new().consecutive_failures(None).failure_ratio(None);
        assert_eq!(
            says(none),
            "`consecutive_failures` is None, but must be set where no ratio is: \
             nothing would ever open it"
        );
        assert_eq!(none.slow_calls(Duration::from_secs(1), 0.5).check(), Ok(()));
        assert_eq!(none.failure_ratio(Some(0.5)).check(), Ok(()));
        assert_eq!(none.consecutive_failures(Some(1)).check(), Ok(()));
    }

    #[test]
    fn a_floor_of_calls_must_fit_the_window_that_it_is_the_floor_of() {
        let tight = CircuitBreaker::new().window(Span::Calls(9));
        assert_eq!(
            says(tight),
            "`min_calls` is 10, but must be at most 9, which is what `window` surely holds"
        );
        assert_eq!(tight.window(Span::Calls(10)).check(), Ok(()));
        // A thousand in 62 parts of sixteen, of which one may have just begun.
        let large = tight.window(Span::Calls(1_000));
        assert_eq!(large.min_calls(977).check(), Ok(()));
        assert!(says(large.min_calls(978)).contains("at most 977"));
        let timed = tight.window(Span::Time(Duration::from_secs(60)));
        assert_eq!(timed.min_calls(1_000_000).check(), Ok(()));
        assert!(says(timed.min_calls(1_000_001)).contains("at most 1000000"));
        assert_eq!(tight.failure_ratio(None).check(), Ok(()));
        let slow = tight.failure_ratio(None).slow_calls(Duration::from_secs(1), 0.5);
        assert!(says(slow).starts_with("`min_calls`"));
    }

    #[test]
    fn an_open_time_that_may_be_nothing_is_no_open_time() {
        let full = Backoff::exponential(Duration::from_secs(1));
        assert_eq!(
            says(CircuitBreaker::new().open_time(full)),
            "`open_time.jitter` is Full, but must be None or Equal: \
             others may leave no open time at all"
        );
        let capped = Backoff::exponential(Duration::from_secs(1)).cap(Duration::from_millis(1));
        let both = says(CircuitBreaker::new().open_time(capped));
        assert!(both.starts_with("`open_time.cap`") && both.contains("; `open_time.jitter`"));
        let constant = Backoff::constant(Duration::from_secs(1));
        assert_eq!(CircuitBreaker::new().open_time(constant).check(), Ok(()));
    }
}
