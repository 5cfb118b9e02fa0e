//! Faults that are made on purpose, and the end of a call.

use std::time::Duration;

use mainstay_policy::chaos::{Chaos, Fault};
use mainstay_policy::{Moment, deadline};
use proptest::prelude::*;

use crate::cases;

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..5_000_u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..=20.0_f64, (0..=20_u8).prop_map(f64::from)]
}

fn chaos(seed: u64, shares: [f64; 5], least: Duration, most: Duration) -> Chaos {
    let [errors, answers, late, hangs, cuts] = shares;
    let chaos = Chaos::seeded(seed).errors(errors).answers(answers).hangs(hangs).cuts(cuts);
    chaos.late(late, least, most)
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn whatever_the_settings_are_nothing_panics(
        seed: u64,
        shares in proptest::array::uniform5(any::<f64>()),
        least in duration(),
        most in duration(),
        number: u64,
    ) {
        let chaos = chaos(seed, shares, least, most);
        let _ = (chaos.fault(number), chaos.check(), chaos.check_plain());
    }

    #[test]
    fn only_faults_that_have_a_share_happen(
        seed: u64,
        shares in proptest::array::uniform5(share()),
        one in duration(),
        other in duration(),
        number: u64,
    ) {
        let (least, most) = (one.min(other), one.max(other));
        let chaos = chaos(seed, shares, least, most);
        prop_assert_eq!(chaos.check(), Ok(()));
        let [errors, answers, late, hangs, cuts] = shares;
        let fault = chaos.fault(number);
        prop_assert_eq!(fault, chaos.fault(number));
        let may_happen = match fault {
            Fault::None => shares.iter().sum::<f64>() < 100.0,
            Fault::Error(_) => errors > 0.0,
            Fault::Answer(_) => answers > 0.0,
            Fault::Late(by) => late > 0.0 && (least..=most).contains(&by),
            Fault::Hang => hangs > 0.0,
            Fault::Cut => cuts > 0.0,
        };
        prop_assert!(may_happen, "{fault:?}");
    }

    /// An end is never later than any of those that it is the nearest of, and a server is never
    /// told more than is left, or than it was told before.
    #[test]
    fn the_nearest_end_counts_and_servers_are_told_no_more(
        now: u64,
        within in proptest::option::of(duration()),
        asked in proptest::option::of(any::<u64>()),
        around: u64,
        unit in duration(),
        before in proptest::option::of(duration()),
    ) {
        let (now, around) = (Moment::from_nanos(now), Moment::from_nanos(around));
        let asked = asked.map(Moment::from_nanos);
        let until = deadline::until(now, within, asked, around);
        let all = [within.map(|within| now + within), asked, Some(around)];
        prop_assert_eq!(Some(until), all.into_iter().flatten().min());

        let left = deadline::left(until, now);
        prop_assert_eq!(left.is_some(), until > now);
        let left = left.unwrap_or_default();
        if let Some(units) = deadline::told(left, unit, before) {
            let told = unit.as_nanos().max(1) * u128::from(units);
            prop_assert!(units == 1 || told <= left.as_nanos());
            prop_assert!(before.is_none_or(|before| before > left));
        }
    }
}
