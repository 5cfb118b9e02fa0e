//! For each bound a story that comes close to it, so that none says too much.

use std::time::Duration;

use mainstay::adaptive::{AdaptiveLimit, Aimd};
use mainstay::budget::RetryBudget;
use mainstay::concurrency::Concurrency;
use mainstay::cooldown::CoolDown;
use mainstay::hedge::Hedge;
use mainstay::pipeline::{Hold, HostSpec, Pipeline, PipelineSpec};
use mainstay::retry::{Backoff, Jitter, Retry};

use super::run::{Call, Cost, Costs, as_f64, bounds, calls, most_sent};
use super::server::{End, Reply, Server};
use super::{ms, secs};

const HANGS: Reply = Reply::at_once(End::Hangs);
const DOWN: Reply = Reply::at_once(End::Status(503));

fn named() -> PipelineSpec {
    Pipeline::named("close")
}

fn gets(calls: usize) -> Vec<Call> {
    vec![Call::get(); calls]
}

/// So many attempts, with nothing but what is asked for between them.
fn at_once(attempts: u32) -> Retry {
    Retry::up_to(attempts).backoff(Backoff::constant(Duration::ZERO))
}

/// What calls cost, which must be within the bounds.
async fn within(spec: &PipelineSpec, server: &Server, of: &[Call]) -> Costs {
    let costs = calls(spec, server.clone(), of).await;
    assert_eq!(costs.broken(spec), Vec::<String>::new());
    costs
}

/// What the last of these calls costs.
async fn last(spec: &PipelineSpec, server: Server, of: &[Call]) -> Cost {
    within(spec, &server, of).await.calls.last().unwrap().1
}

/// At least nine tenths, and no more.
#[track_caller]
fn is_close(much: f64, most: f64) {
    assert!((0.9 * most..=most).contains(&much), "{much} of {most}");
}

#[track_caller]
fn takes_nearly_all(spec: &PipelineSpec, cost: Cost) {
    let most = bounds(spec, 0).time.at_most().unwrap();
    is_close(cost.took.as_secs_f64(), most.as_secs_f64());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_retry_has_all_its_hedges() {
    let hedge = Hedge::after(ms(100)).extra_attempts(2);
    let spec = named().retry(at_once(3)).hedge(hedge).attempt_timeout(secs(1));
    let cost = last(&spec, Server::always(HANGS), &gets(1)).await;
    assert_eq!(cost.attempts, 9);
    assert_eq!(bounds(&spec, 0).attempts.at_most(), Some(9));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_takes_its_whole_deadline() {
    let spec = named().deadline(secs(20));
    let cost = last(&spec, Server::always(HANGS), &gets(1)).await;
    assert_eq!(cost.took, secs(20));
    assert_eq!(bounds(&spec, 0).time.at_most(), Some(secs(20)));
}

#[tokio::test(start_paused = true)]
async fn a_server_asks_after_each_attempt_for_as_long_as_it_may() {
    let retry = at_once(4).longest_asked(secs(5));
    let spec = named().retry(retry).attempt_timeout(secs(2));
    let asks = Reply::at_once(End::Asks(503, 5_000)).after(ms(1_990));
    takes_nearly_all(&spec, last(&spec, Server::always(asks), &gets(1)).await);
}

/// One of so many calls draws nearly all that there is to draw.
#[tokio::test(start_paused = true)]
async fn jitter_is_added_to_what_a_server_asks_for() {
    let backoff = Backoff::exponential(secs(4)).cap(secs(4));
    let retry = Retry::up_to(2).backoff(backoff).longest_asked(secs(5));
    let spec = named().retry(retry).attempt_timeout(secs(1));
    let asks = Reply::at_once(End::Asks(503, 5_000)).after(ms(990));
    let costs = within(&spec, &Server::always(asks), &gets(100)).await;
    let longest = costs.calls.iter().map(|(_, cost)| *cost).max_by_key(|cost| cost.took);
    takes_nearly_all(&spec, longest.unwrap());
}

#[tokio::test(start_paused = true)]
async fn every_attempt_times_out_after_the_longest_pause_of_its_backoff() {
    let backoff = Backoff::exponential(ms(500)).cap(secs(4)).jitter(Jitter::None);
    let retry = Retry::up_to(5).backoff(backoff).longest_asked(Duration::ZERO);
    let spec = named().retry(retry).attempt_timeout(secs(1));
    takes_nearly_all(&spec, last(&spec, Server::always(HANGS), &gets(1)).await);
}

#[tokio::test(start_paused = true)]
async fn a_failed_answer_is_read_for_as_long_as_it_is() {
    let spec = named().retry(at_once(10).longest_asked(Duration::ZERO)).attempt_timeout(ms(10));
    let cost = last(&spec, Server::always(DOWN.after(ms(10)).body_hangs()), &gets(1)).await;
    takes_nearly_all(&spec, cost);
}

/// The one before it has the only slot for nearly as long as one waits for it, and then closes the
/// gate for nearly as long as one stands in line.
#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_slot_then_for_its_turn_and_then_hangs() {
    let spec = named().attempt_timeout(secs(3)).per_host(|host| {
        let slot = Concurrency::limit(1).max_wait(secs(3));
        host.concurrency(slot).cool_down(CoolDown::new()).max_wait(secs(6))
    });
    let asks = Reply::at_once(End::Asks(429, 5_900)).after(ms(2_900));
    let server = Server::new(move |n| if n == 0 { asks } else { HANGS });
    takes_nearly_all(&spec, last(&spec, server, &gets(2)).await);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_begins_when_the_first_attempt_has_nearly_run_out_of_time() {
    let hedge = Hedge::after(ms(990));
    let spec = named().retry(at_once(3).longest_asked(Duration::ZERO)).hedge(hedge);
    let spec = spec.attempt_timeout(secs(1));
    takes_nearly_all(&spec, last(&spec, Server::always(HANGS), &gets(1)).await);
}

/// Two have both slots for a second; the call then has one, and its first hedge the other. The second
/// hedge waits, since somebody else stands before it who gets the slot of the first attempt, and is
/// given that of the first hedge.
#[tokio::test(start_paused = true)]
async fn the_last_hedge_waits_for_a_slot_as_the_first_attempt_did() {
    let hedge = Hedge::after(ms(990)).extra_attempts(2);
    let slots = Concurrency::limit(2).max_wait(ms(1_020));
    let spec = named().attempt_timeout(secs(2)).hedge(hedge);
    let spec = spec.per_host(|host| host.concurrency(slots));
    let well = Reply::at_once(End::Status(200)).after(secs(1));
    let server = Server::new(move |n| if n < 2 { well } else { HANGS });
    let get = Call::get();
    let of = [get.clone(), get.clone(), get.clone(), get.after(ms(2_500))];
    let costs = within(&spec, &server, &of).await;
    let (_, third) = costs.calls[2];
    assert_eq!(third.attempts, 3);
    takes_nearly_all(&spec, third);
}

/// What is in flight, of how many there may be.
async fn in_flight(host: impl FnOnce(HostSpec) -> HostSpec, reply: Reply) -> (u64, Option<u64>) {
    let spec = named().deadline(secs(60)).retry(Retry::up_to(2)).per_host(host);
    let costs = within(&spec, &Server::always(reply), &gets(30)).await;
    (costs.hosts[0].most_in_flight, bounds(&spec, 0).slots.at_most())
}

#[tokio::test(start_paused = true)]
async fn all_slots_are_taken() {
    let fixed = in_flight(|host| host.concurrency(7), HANGS).await;
    assert_eq!(fixed, (7, Some(7)));
    let adaptive = AdaptiveLimit::aimd(Aimd::new()).initial(9).max(9);
    let adaptive = in_flight(|host| host.adaptive(adaptive), HANGS).await;
    assert_eq!(adaptive, (9, Some(9)));
    let held = |host: HostSpec| host.concurrency(3).hold(Hold::Body { idle: secs(30) });
    assert_eq!(in_flight(held, DOWN.body_hangs()).await, (3, Some(3)));
}

/// What is sent in an outage, of what may be.
async fn load(spec: &PipelineSpec, server: Server, of: &[Call]) -> (f64, f64) {
    let costs = within(spec, &server, of).await;
    (as_f64(costs.hosts[0].attempts), most_sent(&bounds(spec, 0), of.len()))
}

#[tokio::test(start_paused = true)]
async fn an_outage_gets_the_part_of_the_budget_more() {
    let budget = RetryBudget::new().ratio(0.2).reserve(20);
    let spec = named().retry(at_once(4)).budget(budget);
    let of = vec![Call::get().after(ms(10)); 1_000];
    let (sent, most) = load(&spec, Server::always(DOWN), &of).await;
    assert_eq!(most, 1_220.0);
    is_close(sent, most);

    let hedged = named().hedge(Hedge::after(ms(5)).extra_attempts(3)).budget(budget);
    let (sent, most) = load(&hedged.attempt_timeout(ms(20)), Server::always(HANGS), &of).await;
    assert_eq!(most, 1_220.0);
    is_close(sent, most);
}

#[tokio::test(start_paused = true)]
async fn few_calls_get_the_whole_reserve() {
    let spec = named().retry(at_once(4)).budget(RetryBudget::new().ratio(0.0).reserve(50));
    assert_eq!(load(&spec, Server::always(DOWN), &gets(20)).await, (70.0, 70.0));
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_an_outage_gets_all_attempts_of_all_calls() {
    let spec = named().retry(at_once(3)).hedge(Hedge::after(ms(5))).attempt_timeout(ms(20));
    let of = gets(50);
    let (sent, _) = load(&spec.clone().without_budget(), Server::always(HANGS), &of).await;
    assert_eq!(sent, 300.0);
    assert_eq!(bounds(&spec, 0).load_without_budget.at_most(), Some(6.0));
}
