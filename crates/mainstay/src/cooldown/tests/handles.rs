//! Looking at it, and working it by hand.

use tokio::sync::watch;

use super::*;
use crate::guard::PerKey;
use crate::observe::testing::heard;

type Paced = (Arc<PacedGuard>, mock::Spawn<Guarded<Mock, Arc<PacedGuard>>>, Server);

fn layer() -> (Arc<CoolDownGuard>, Client<Arc<WatchedGate>>, Server) {
    let layer = CoolDownLayer::new(CoolDown::new()).unwrap();
    let (client, server) = mock::spawn_with(|service: Mock| layer.clone().layer(service));
    (layer.handle(), client, server)
}

fn paced() -> Paced {
    let guard = Arc::new(PacedGuard::new(RateLimit::per_second(2), CoolDown::new()).unwrap());
    let layer = GuardLayer::new(Arc::clone(&guard));
    let (client, server) = mock::spawn_with(move |service| layer.layer(service));
    (guard, client, server)
}

/// What changed since somebody last looked.
fn changed(states: &mut watch::Receiver<GateState>) -> Option<GateState> {
    states.has_changed().unwrap().then(|| *states.borrow_and_update())
}

#[tokio::test(start_paused = true)]
async fn who_watches_sees_it_close_ramp_and_open() {
    let (handle, mut client, mut server) = layer();
    let mut states = handle.watch();
    assert_eq!(*states.borrow_and_update(), GateState::Open);
    sees(&mut client, &mut server, 200, &[]);
    assert_eq!(changed(&mut states), None);

    sees(&mut client, &mut server, 429, &[("retry-after", "3")]);
    assert_eq!(changed(&mut states), Some(GateState::Closed));
    let mut calls = standing(&mut client, 3);
    advance(ms(3_001)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
    assert_eq!(changed(&mut states), Some(GateState::Ramping));
    advance(ms(100)).await;
    assert_eq!(start(&mut calls, &mut server), 2);
    assert_eq!(changed(&mut states), Some(GateState::Open), "the line is empty");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_stands_in_line_the_next_call_sees_that_it_is_open() {
    let (handle, mut client, mut server) = layer();
    let mut states = handle.watch();
    sees(&mut client, &mut server, 429, &[("retry-after", "1")]);
    assert_eq!(changed(&mut states), Some(GateState::Closed));
    advance(ms(3_001)).await;
    assert_eq!((changed(&mut states), handle.state()), (None, GateState::Open));
    sees(&mut client, &mut server, 200, &[]);
    assert_eq!(changed(&mut states), Some(GateState::Open));
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_opens_for_all_who_stand_in_line() {
    let (handle, mut client, mut server) = layer();
    let mut states = handle.watch();
    sees(&mut client, &mut server, 429, &[("retry-after", "3600")]);
    let mut calls = standing(&mut client, 20);
    assert_eq!(changed(&mut states), Some(GateState::Closed));
    handle.reset();
    assert_eq!(changed(&mut states), Some(GateState::Open));
    assert!(calls[0].is_woken());
    assert_eq!(start(&mut calls, &mut server), 20);
    assert_eq!(handle.snapshot().retry_in, None);
}

#[tokio::test(start_paused = true)]
async fn behind_one_turnstile_both_can_be_looked_at_and_worked_by_hand() {
    let (handle, mut client, mut server) = paced();
    let mut states = handle.watch();
    assert!(handle.close_for(ms(60_000)).is_some());
    assert_eq!(changed(&mut states), Some(GateState::Closed));
    assert!(handle.gate().opens_in.unwrap() >= ms(60_000));
    let mut calls = standing(&mut client, 12);
    handle.reset();
    assert_eq!(
        (changed(&mut states), handle.gate().state),
        (Some(GateState::Open), GateState::Open)
    );
    assert!(calls[0].is_woken());
    assert_eq!(start(&mut calls, &mut server), 1, "the rate holds");

    assert!(!calls[1].is_woken());
    handle.change(RateLimit::per_second(10)).unwrap();
    assert!(calls[1].is_woken(), "it stands first, since the one before has started");
    assert_eq!(start(&mut calls, &mut server), 0);
    advance(ms(101)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
    assert!(handle.change(RateLimit::per_second(0)).is_err());

    drop(calls);
    advance(ms(101)).await;
    let spent = [("ratelimit-remaining", "0"), ("ratelimit-reset", "30")];
    sees(&mut client, &mut server, 200, &spent);
    assert_eq!((handle.rate().told.unwrap().left, handle.gate().state), (0, GateState::Closed));
    handle.forget_told();
    handle.reset();
    assert_eq!(handle.rate().told, None);
    advance(ms(101)).await;
    sees(&mut client, &mut server, 200, &[]);
}

#[tokio::test(start_paused = true)]
async fn changed_while_it_is_closed_it_stays_so_and_comes_back_by_the_new_settings() {
    let (handle, mut client, mut server) = layer();
    sees(&mut client, &mut server, 429, &[("retry-after", "3")]);
    let mut calls = standing(&mut client, 9);
    handle.change(CoolDown::new().max(ms(2_000)).ramp(ms(0))).unwrap();
    assert!(calls[0].is_woken(), "it looks again");
    assert_eq!(start(&mut calls, &mut server), 0);
    advance(ms(2_990)).await;
    assert_eq!(start(&mut calls, &mut server), 0);
    advance(ms(11)).await;
    assert_eq!(start(&mut calls, &mut server), 9, "there is no ramp");

    sees(&mut client, &mut server, 429, &[("retry-after", "30")]);
    let opens_in = handle.snapshot().opens_in.unwrap();
    assert!((ms(2_000)..=ms(2_001)).contains(&opens_in), "{opens_in:?}");
    assert!(handle.change(CoolDown::new().max(ms(0))).is_err());
    assert_eq!(handle.snapshot().opens_in, Some(opens_in));
}

#[tokio::test(start_paused = true)]
async fn a_ramp_that_a_change_ends_is_told() {
    let (handle, mut client, mut server) = layer();
    let mut states = handle.watch();
    sees(&mut client, &mut server, 429, &[("retry-after", "3")]);
    let mut calls = standing(&mut client, 3);
    advance(ms(3_001)).await;
    assert_eq!(start(&mut calls, &mut server), 1);
    assert_eq!(changed(&mut states), Some(GateState::Ramping));
    handle.change(CoolDown::new().ramp(ms(0))).unwrap();
    assert_eq!(changed(&mut states), Some(GateState::Open));
    assert_eq!(start(&mut calls, &mut server), 2);
}

#[tokio::test(start_paused = true)]
async fn behind_one_turnstile_each_can_be_changed() {
    let (handle, mut client, mut server) = paced();
    handle.change(RateLimit::per_second(1_000)).unwrap();
    handle.change_cool_down(CoolDown::new().unasked(ms(7_000)).ramp(ms(0))).unwrap();
    sees(&mut client, &mut server, 429, &[]);
    let opens_in = handle.gate().opens_in.unwrap();
    assert!((ms(7_000)..=ms(7_001)).contains(&opens_in), "{opens_in:?}");
    assert!(handle.change_cool_down(CoolDown::new().step(ms(0))).is_err());
}

/// C10, axum#2634: a 429 that one connection sees holds all others back.
#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_and_its_clones_stand_before_one_gate() {
    let layer = CoolDownLayer::new(CoolDown::new()).unwrap();
    let (mut here, mut server) = mock::spawn_with(|service: Mock| layer.layer(service));
    let clone = layer.clone();
    let (mut there, mut other) = mock::spawn_with(|service: Mock| clone.layer(service));
    sees(&mut here, &mut server, 429, &[("retry-after", "5")]);
    let _calls = standing(&mut there, 1);
    assert!(other.poll_request().is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_the_name_of_its_layer() {
    let guard = CoolDownGuard::new(CoolDown::new()).unwrap().named("github");
    let (mut client, mut server) = over(guard);
    sees(&mut client, &mut server, 429, &[("retry-after", "5")]);
    let error = assert_ready_err!(hurried(&mut client, ms(100)).poll());
    let refused = error.refused().unwrap();
    assert_eq!((refused.layer(), refused.name()), ("cool-down", Some("github")));
}

#[tokio::test(start_paused = true)]
async fn in_shadow_it_says_what_it_would_hold_up_and_holds_up_nothing() {
    let layer = CoolDownLayer::of(
        CoolDownGuard::new(CoolDown::new()).unwrap().named("github"),
        Http::new(),
    );
    let shadow = layer.shadow();
    let (mut client, mut server) = mock::spawn_with(|service: Mock| shadow.layer(service));
    assert!(layer.handle().close_for(ms(5_000)).is_some());
    heard();
    assert_ready_ok!(client.poll_ready::<Req>());
    let mut call = task::spawn(client.call(Request::new("x")));
    assert_pending!(call.poll());
    answers(&mut server, 200, &[]);
    assert_ready_ok!(call.poll());
    assert_eq!(heard(), ["WouldWait { layer: \"cool-down\", name: Some(\"github\") }"]);
}

/// One host that asks for a pause is left alone, and the others are not.
#[tokio::test(start_paused = true)]
async fn every_host_can_have_a_rate_and_a_gate_of_its_own() {
    let settings = (RateLimit::per_second(100).burst(9), CoolDown::new());
    let guards = Arc::new(PerKey::<PacedGuard>::each(settings).unwrap());
    let layer = GuardLayer::new(Arc::clone(&guards));
    let (mut client, mut server): (mock::Spawn<_>, Server) =
        mock::spawn_with(move |service: Mock| layer.layer(service));
    let mut to = |host: &str| {
        assert_ready_ok!(client.poll_ready::<Req>());
        let mut call = task::spawn(client.call(Request::get(host).body("x").unwrap()));
        assert_pending!(call.poll());
        call
    };
    let mut first = to("https://a.example/");
    answers(&mut server, 429, &[("retry-after", "5")]);
    assert_ready_ok!(first.poll());
    let _waits = to("https://a.example/");
    assert!(server.poll_request().is_pending());
    let mut other = to("https://b.example/");
    answers(&mut server, 200, &[]);
    assert_ready_ok!(other.poll());

    assert!(PerKey::<PacedGuard>::each((RateLimit::per_second(0), CoolDown::new())).is_err());
    assert!(PerKey::<CoolDownGuard>::each(CoolDown::new().max(Duration::ZERO)).is_err());
    assert!(PerKey::<crate::rate_limit::RateLimitGuard>::each(RateLimit::per_second(0)).is_err());
}
