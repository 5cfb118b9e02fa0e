//! What guards tell of their lines and gates.

use tokio_test::{assert_pending, assert_ready, task};
use tracing::Level;

use super::listener::{Listener, Told};
use super::*;
use crate::cooldown::{CoolDown, CoolDownGuard, PacedGuard};
use crate::guard::{Ask, Guard, TurnGuard, Turns};
use crate::rate_limit::{RateLimit, RateLimitGuard};

async fn takes_its_turn<T: Turns>(guard: &TurnGuard<T>) {
    Guard::<()>::admit(guard, &(), Ask::default()).await.unwrap();
}

/// What was told at `info` and above: level and, of a change, the state.
fn aloud(told: &Told) -> Vec<(Level, Option<&str>)> {
    let is_loud = |level: &Level| *level <= Level::INFO;
    let events = told.events.iter().filter(|(level, ..)| is_loud(level));
    events.map(|(at, _, fields)| (*at, fields.get("mainstay.state").map(String::as_str))).collect()
}

/// Who stands first and is not polled holds all up: that is told when it takes its turn at last.
#[tokio::test(start_paused = true)]
async fn a_turn_that_was_taken_a_second_late_is_warned_of_and_a_little_late_is_not() {
    for (late, warnings) in [(ms(998), 0), (ms(1_002), 1)] {
        let guard = RateLimitGuard::new(RateLimit::per_second(1)).unwrap().named("orders");
        takes_its_turn(&guard).await;
        let mut first = task::spawn(takes_its_turn(&guard));
        assert_pending!(first.poll());
        let mut second = task::spawn(takes_its_turn(&guard));
        assert_pending!(second.poll());

        let (listener, _guard) = Listener::listens();
        tokio::time::advance(ms(1_000) + late).await;
        assert!(first.is_woken() && !second.is_woken(), "it is the first one's turn");
        assert_pending!(second.poll());
        assert_ready!(first.poll());
        let told = listener.told();
        let warned: Vec<_> = told.events.iter().filter(|(at, ..)| *at == Level::WARN).collect();
        assert_eq!(warned.len(), warnings, "{told:?}");
        for (_, _, fields) in warned {
            assert_eq!(fields["mainstay.layer"], "rate limit");
            assert_eq!(fields["mainstay.name"], "orders");
            assert_eq!(fields["message"], "a call was not polled when its turn came");
            let took: f64 = fields["mainstay.took"].parse().unwrap();
            assert!((1.0..1.003).contains(&took), "{took}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_change_of_a_gate_is_told_once() {
    let guard = CoolDownGuard::new(CoolDown::new()).unwrap().named("github");
    let (listener, _guard) = Listener::listens();
    takes_its_turn(&guard).await;
    assert!(guard.close_for(ms(1_000)).is_some());
    assert!(guard.close_for(ms(2_000)).is_some(), "it stays closed for longer");
    let told = listener.told();
    assert_eq!(aloud(&told), [(Level::WARN, Some("cooling down"))]);
    let fields = &told.events.last().unwrap().2;
    assert_eq!(fields["mainstay.layer"], "cool-down");
    assert_eq!(fields["mainstay.name"], "github");

    let mut calls: Vec<_> = (0..2).map(|_| task::spawn(takes_its_turn(&guard))).collect();
    calls.iter_mut().for_each(|call| assert_pending!(call.poll()));
    tokio::time::advance(ms(2_001)).await;
    assert_ready!(calls[0].poll());
    assert_pending!(calls[1].poll());
    assert_eq!(aloud(&listener.told()), [(Level::INFO, Some("ramping"))]);
    tokio::time::advance(ms(100)).await;
    assert_ready!(calls[1].poll());
    assert_eq!(aloud(&listener.told()), [(Level::INFO, Some("cooled down"))]);
}

#[tokio::test(start_paused = true)]
async fn a_gate_beside_a_rate_limit_tells_its_changes_by_the_name_of_both() {
    let guard = PacedGuard::new(RateLimit::per_second(10), CoolDown::new()).unwrap();
    let (listener, _guard) = Listener::listens();
    assert!(guard.close_for(ms(500)).is_some());
    guard.reset();
    let told = listener.told();
    let states = [(Level::WARN, Some("cooling down")), (Level::INFO, Some("cooled down"))];
    assert_eq!(aloud(&told), states);
    assert!(
        told.events
            .iter()
            .all(|(.., fields)| { fields["mainstay.layer"] == "rate limit with cool-down" })
    );
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_line_or_is_refused_in_it_has_waited_as_well() {
    let guard = CoolDownGuard::new(CoolDown::new()).unwrap();
    assert!(guard.close_for(ms(5_000)).is_some());
    let (listener, _guard) = Listener::listens();
    let hurried = Ask { until: crate::clock::now() + ms(6_000), ..Ask::default() };
    let mut refused = task::spawn(Guard::<()>::admit(&guard, &(), hurried));
    let mut dropped = task::spawn(takes_its_turn(&guard));
    assert_pending!(refused.poll());
    assert_pending!(dropped.poll());
    tokio::time::advance(ms(700)).await;
    drop(dropped);
    assert!(guard.close_for(ms(9_000)).is_some());
    assert!(assert_ready!(refused.poll()).is_err());
    drop(refused);
    let told = listener.told();
    let messages = told.events.iter().map(|(.., fields)| fields["message"].as_str());
    let waits = messages.filter(|message| message.contains("wait"));
    assert!(waits.eq(["waits", "waits", "has waited", "has waited"]), "{told:?}");
}
