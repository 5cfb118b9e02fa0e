//! No call of any pipeline costs more than its bounds say, whatever the server does.

use std::env;
use std::io::ErrorKind;
use std::time::Duration;

use http::Method;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

use super::run::{Call, HOSTS, Run};
use super::server::{End, Reply};
use super::specs::{specs, time};

/// So many runs of each law; `PROPTEST_CASES` may ask for more. A case that fails is printed, not
/// written to a file.
fn config() -> Config {
    let asked = Config::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { 200 };
    Config { cases, failure_persistence: None, ..asked }
}

/// Ends that are failures, all of which may pass.
fn failures() -> impl Strategy<Value = End> {
    let asks =
        (select(vec![429, 503]), 0..2_500_u64).prop_map(|(status, ms)| End::Asks(status, ms));
    let fails = select(vec![ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset]);
    prop_oneof![
        2 => Just(End::Status(503)),
        1 => Just(End::Status(429)),
        1 => asks,
        1 => fails.prop_map(End::Fails),
        1 => Just(End::Hangs),
    ]
}

/// How late an end comes.
fn delays() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), time(1, 100), time(1, 1_500)]
}

fn replies(ends: impl Strategy<Value = End>) -> impl Strategy<Value = Vec<Reply>> {
    let reply = (delays(), ends, any::<bool>());
    let reply = reply.prop_map(|(after, end, body_hangs)| Reply { after, end, body_hangs });
    vec(reply, 1..30)
}

fn calls() -> impl Strategy<Value = Call> {
    let gaps = prop_oneof![Just(Duration::ZERO), time(0, 20), time(0, 300)];
    let methods = select(vec![Method::GET, Method::GET, Method::POST]);
    let dropped = weighted(0.15, time(0, 1_000));
    let own = (weighted(0.1, time(0, 2_000)), prop_oneof![9 => Just(1), 1 => 0..4_u32]);
    let call = (gaps, methods, 0..HOSTS.len(), dropped, own);
    call.prop_map(|(gap, method, host, dropped_after, (within, cost))| Call {
        gap,
        method,
        host,
        dropped_after,
        within,
        cost,
    })
}

/// All calls go to so many hosts.
fn runs(ends: impl Strategy<Value = End>) -> impl Strategy<Value = Run> {
    let calls = (vec(calls(), 20..=200), 1..=HOSTS.len()).prop_map(|(mut calls, hosts)| {
        calls.iter_mut().for_each(|call| call.host %= hosts);
        calls
    });
    let off_beat = (0..1_000_u64).prop_map(Duration::from_micros);
    (specs(), replies(ends), calls, off_beat).prop_map(|(spec, replies, calls, off_beat)| Run {
        spec,
        replies,
        calls,
        off_beat,
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_call_costs_more_than_its_bounds(
        run in runs(prop_oneof![2 => Just(End::Status(200)), 3 => failures()]),
    ) {
        let broken = run.broken();
        prop_assert!(broken.is_empty(), "{broken:#?}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_outage_gets_more_load_than_its_bounds(run in runs(failures())) {
        let broken = run.broken();
        prop_assert!(broken.is_empty(), "{broken:#?}");
    }
}
