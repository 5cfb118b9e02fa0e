//! What holds inputs up, in words.

use std::time::Duration;

use mainstay::batch::HostCounts;
use mainstay::breaker::BreakerState;
use mainstay::pipeline::{HostHandle, Pipelines};

use super::hosts::is_down;
use super::summary::seconds;

/// Of all hosts that have inputs wait, the one with the most of them, and why.
pub(crate) fn holds(
    pipelines: &Pipelines,
    hosts: &[HostCounts],
    has_total_rate: bool,
) -> Option<String> {
    let waiting = hosts.iter().filter(|host| host.waiting > 0);
    let worst = waiting.clone().max_by_key(|host| host.waiting)?;
    let key = worst.host.as_ref()?;
    let name = key.as_str();
    let name = name.split_once("://").map_or(name, |(_, authority)| authority);
    let host = pipelines.of_host(key.as_str()).host(key);
    let why = match host.as_ref().and_then(why) {
        Some(why) => why,
        None if has_total_rate => "waits for its share of --rate-total".to_owned(),
        None => return None,
    };
    Some(match waiting.count() {
        1 => format!("{name} {why}"),
        2 => format!("{name} {why}; one more host waits"),
        hosts => format!("{name} {why}; {} more hosts wait", hosts - 1),
    })
}

/// How many inputs wait for hosts that are down.
pub(crate) fn held_up(pipelines: &Pipelines, hosts: &[HostCounts]) -> u64 {
    let waiting = hosts.iter().filter(|host| host.waiting > 0);
    let down = waiting.filter(|host| {
        let handle = host.host.as_ref().and_then(|key| pipelines.of_host(key.as_str()).host(key));
        handle.is_some_and(|handle| is_down(&handle))
    });
    down.map(|host| host.waiting).sum()
}

fn why(host: &HostHandle) -> Option<String> {
    if let Some(breaker) = host.circuit_breaker().map(|breaker| breaker.snapshot()) {
        match (breaker.state, breaker.retry_in) {
            (BreakerState::Closed, _) => {}
            (BreakerState::Open, Some(time)) => {
                return Some(format!("fails, and is tried again in {}", short(time)));
            }
            _ => return Some("failed, and is being tried again".to_owned()),
        }
    }
    let turns = host.turns();
    if let Some(time) = turns.and_then(|turns| turns.gate()?.opens_in) {
        return Some(format!("asked to be left alone for {}", short(time)));
    }
    if turns.and_then(|turns| turns.rate()).is_some_and(|rate| rate.available == 0) {
        return Some("is asked as often as --rate or its pipeline allows".to_owned());
    }
    let slots = host.concurrency()?.snapshot();
    (slots.in_use >= slots.limit).then(|| format!("has all of its {} slots in use", slots.limit))
}

/// In tenths of a second, so that it does not flicker.
fn short(time: Duration) -> String {
    match time.as_secs() {
        // What is not over is never 0.0.
        0 => format!("{:.1} s", time.as_secs_f64().max(0.1)),
        _ => seconds(time),
    }
}
