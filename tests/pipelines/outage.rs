//! A minute in which every answer is a 503: what the example prints, as claims.

use mainstay::breaker::BreakerState;
use mainstay::pipeline::Pipeline;

#[expect(dead_code, reason = "its tables are for reading")]
#[path = "../../examples/what_does_an_outage_cost_a_pipeline.rs"]
mod example;

use example::{CALLS, OUTAGE, busiest, load, most_extra, outage, sum, well_again_after};

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_left_alone_and_asked_again_within_seconds_of_being_well() {
    let seconds = outage(&Pipeline::standard()).await;
    let (down, after) = (sum(&seconds[OUTAGE]), &seconds[OUTAGE.end..]);
    assert!(load(&seconds) < 0.02, "{down:?}");
    assert!(down.refused > CALLS * 30, "{down:?}");
    assert!(OUTAGE.skip(1).any(|second| seconds[second].breaker == Some(BreakerState::Open)));
    // Five seconds of being open at most, and three probes.
    let again = well_again_after(&seconds);
    assert!(again <= 6, "{again} s: {after:?}");
    assert!(after[7..].iter().all(|second| second.breaker == Some(BreakerState::Closed)));
}

#[tokio::test(start_paused = true)]
async fn without_a_breaker_it_gets_a_fifth_more_and_the_reserve_and_not_three_times_as_much() {
    let pipeline = example::without_breaker().build().unwrap();
    let seconds = outage(&pipeline).await;
    for end in OUTAGE {
        let so_far = sum(&seconds[OUTAGE.start..=end]);
        let calls = CALLS * u32::try_from(end + 1 - OUTAGE.start).unwrap();
        // What a call pays in may be drawn on in the second after.
        assert!(so_far.extra <= calls / 5 + 100, "until second {end}: {so_far:?}");
    }
    let extra = sum(&seconds[OUTAGE]).extra;
    assert!((most_extra() - 50..=most_extra()).contains(&extra), "it is used: {extra}");
    assert!(busiest(&seconds) < 3 * CALLS);
    assert!(well_again_after(&seconds) <= 2);
}
