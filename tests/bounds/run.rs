//! Calls through a pipeline to a server, and what they cost beside what they may.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use mainstay::http::CallOptions;
use mainstay::pipeline::{Bound, Bounds, Hold, Pipeline, PipelineSpec};
use tokio::time::{Instant, advance, sleep, timeout};
use tower::{Layer, ServiceExt};

use super::secs;
use super::server::{AtHost, Reply, Req, Server};

/// To which hosts calls go.
pub(crate) const HOSTS: [&str; 3] = ["a.test", "b.test", "c.test"];

/// How long a call is watched that may take as long as it likes.
const FOR_EVER: Duration = secs(600);

/// Calls to a server, one begun after the other.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) spec: PipelineSpec,
    /// In turn, and then again from the first.
    pub(crate) replies: Vec<Reply>,
    pub(crate) calls: Vec<Call>,
    /// How far the clock is from whole milliseconds.
    pub(crate) off_beat: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// How long after the one before it begins.
    pub(crate) gap: Duration,
    pub(crate) method: Method,
    pub(crate) host: usize,
    pub(crate) dropped_after: Option<Duration>,
    /// Its own deadline.
    pub(crate) within: Option<Duration>,
    pub(crate) cost: u32,
}

/// What a call has cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) attempts: u64,
    pub(crate) took: Duration,
    was_dropped: bool,
}

/// What all calls have cost.
#[derive(Debug)]
pub(crate) struct Costs {
    pub(crate) calls: Vec<(usize, Cost)>,
    pub(crate) hosts: [AtHost; HOSTS.len()],
}

impl Call {
    pub(crate) const fn get() -> Self {
        let (gap, method) = (Duration::ZERO, Method::GET);
        Self { gap, method, host: 0, dropped_after: None, within: None, cost: 1 }
    }

    pub(crate) fn after(self, gap: Duration) -> Self {
        Self { gap, ..self }
    }

    /// The request of this call, which has this number.
    fn request(&self, n: usize) -> Req {
        let options = CallOptions::new().cost(self.cost);
        let options = match self.within {
            Some(time) => options.within(time),
            None => options,
        };
        let request = Request::builder().method(&self.method).extension(options);
        request.uri(format!("http://{}/{n}", HOSTS[self.host])).body(Full::default()).unwrap()
    }
}

/// The bounds of a pipeline before one of the hosts.
pub(crate) fn bounds(spec: &PipelineSpec, host: usize) -> Bounds {
    spec.bounds_of(&format!("http://{}", HOSTS[host]))
}

/// Makes these calls, each in a task of its own.
pub(crate) async fn calls(spec: &PipelineSpec, server: Server, calls: &[Call]) -> Costs {
    let is_held = |hold| matches!(hold, Hold::Body { .. });
    let server = if is_held(spec.per_host.hold) { server.counting_bodies() } else { server };
    let service = Pipeline::layer(&spec.clone().build().unwrap(), server.clone());
    let mut tasks = Vec::new();
    for (n, call) in calls.iter().enumerate() {
        sleep(call.gap).await;
        let longest = bounds(spec, call.host).time.at_most().map(|most| most + secs(10));
        let limit = call.dropped_after.or(longest).unwrap_or(FOR_EVER);
        let request = call.request(n);
        let (service, is_watched) = (service.clone(), longest.is_some());
        let is_dropped = call.dropped_after.is_some();
        tasks.push(tokio::spawn(async move {
            let began = Instant::now();
            let end = timeout(limit, service.oneshot(request)).await;
            let was_dropped = end.is_err() && (is_dropped || !is_watched);
            (began.elapsed(), was_dropped)
        }));
    }
    let mut costs = Vec::new();
    for (n, task) in tasks.into_iter().enumerate() {
        let (took, was_dropped) = task.await.unwrap();
        let attempts = server.attempts_of(&format!("/{n}"));
        costs.push((calls[n].host, Cost { attempts, took, was_dropped }));
    }
    Costs { calls: costs, hosts: HOSTS.map(|host| server.at(host)) }
}

impl Run {
    /// Makes the calls, in time that is paused, and says which bounds they broke.
    pub(crate) fn broken(&self) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        let replies = self.replies.clone();
        let server = Server::new(move |n| replies[n % replies.len()]);
        let costs = runtime.block_on(async {
            advance(self.off_beat).await;
            calls(&self.spec, server, &self.calls).await
        });
        costs.broken(&self.spec)
    }
}

impl Costs {
    /// Which bounds of this pipeline they broke.
    pub(crate) fn broken(&self, spec: &PipelineSpec) -> Vec<String> {
        let mut broken = Vec::new();
        for (host, (name, seen)) in HOSTS.iter().zip(&self.hosts).enumerate() {
            let bounds = bounds(spec, host);
            let calls = self.calls.iter().enumerate().filter(|(_, (at, _))| *at == host);
            for (n, (_, cost)) in calls.clone() {
                broken.extend(cost.broken(&bounds, spec).map(|what| format!("call {n}: {what}")));
            }
            let at_host = seen.broken(&bounds, calls.count());
            broken.extend(at_host.map(|what| format!("{name}: {what}")));
        }
        broken
    }
}

impl Cost {
    fn broken(self, bounds: &Bounds, spec: &PipelineSpec) -> impl Iterator<Item = String> {
        let Self { attempts, took, was_dropped } = self;
        // Where there is no deadline, the lateness of timers is in the sum.
        let late = spec.deadline.map_or(Duration::ZERO, |_| Bounds::TIMER);
        let in_time = was_dropped || bounds.time.allows(&took.saturating_sub(late));
        let too_many = (!bounds.attempts.allows(&attempts))
            .then(|| format!("{attempts} attempts, and {:?}", bounds.attempts));
        let too_long = (!in_time).then(|| format!("took {took:?}, and {:?}", bounds.time));
        too_many.into_iter().chain(too_long)
    }
}

impl AtHost {
    fn broken(&self, bounds: &Bounds, calls: usize) -> impl Iterator<Item = String> {
        let Self { attempts, most_in_flight, .. } = self;
        let too_many = (!bounds.slots.allows(most_in_flight))
            .then(|| format!("{most_in_flight} in flight, and {:?}", bounds.slots));
        let (load, without) = (most_sent(bounds, calls), most_sent_without_budget(bounds, calls));
        let too_much = [load, without].into_iter().filter(|most| as_f64(*attempts) > most + 1e-6);
        let too_much: Vec<_> = too_much
            .map(|most| format!("{attempts} attempts of {calls} calls, not {most}"))
            .collect();
        too_many.into_iter().chain(too_much)
    }
}

/// How many attempts of so many calls may be sent.
pub(crate) fn most_sent(bounds: &Bounds, calls: usize) -> f64 {
    let of = |most: Bound<f64>| most.at_most().unwrap_or(f64::INFINITY);
    let reserve = bounds.reserve.at_most().map_or(f64::INFINITY, as_f64);
    of(bounds.load).mul_add(as_f64(calls as u64), reserve)
}

fn most_sent_without_budget(bounds: &Bounds, calls: usize) -> f64 {
    bounds.load_without_budget.at_most().unwrap_or(f64::INFINITY) * as_f64(calls as u64)
}

#[expect(clippy::cast_precision_loss, reason = "it is a few thousand")]
pub(crate) const fn as_f64(count: u64) -> f64 {
    count as f64
}
