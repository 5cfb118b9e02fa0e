//! Whatever the chunks, the limit and the places where attempts stop.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::TooLarge;
use super::super::limits::Limits;
use super::*;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => vec(any::<u8>(), 0..20).prop_map(data),
        1 => Just(Step::Waits),
    ];
    (vec(step, 0..20), any::<bool>()).prop_map(|(mut steps, trailers)| {
        steps.extend(trailers.then_some(Step::Trailers));
        steps
    })
}

fn bytes(seen: &[Seen]) -> usize {
    let bytes = seen.iter().map(|it| match it {
        Seen::Data(data) => data.len(),
        Seen::Trailers(_) => "etagchecksum".len(),
        Seen::Failed(_) | Seen::End | Seen::Pending => 0,
    });
    bytes.sum()
}

/// Reads so many frames, through what is pending; fewer if it comes to an end.
fn read(body: &mut ReplayBody, frames: usize) -> Vec<Seen> {
    let mut all = Vec::new();
    while all.len() < frames && !matches!(all.last(), Some(Seen::End | Seen::Failed(_))) {
        all.extend(Some(next(body)).filter(|seen| *seen != Seen::Pending));
    }
    all
}

proptest! {
    #[test]
    fn each_attempt_sends_the_original_or_says_that_it_is_too_large(
        steps in steps(),
        limit in 0_usize..200,
        sized in any::<bool>(),
        attempts in vec((0_usize..25, any::<bool>()), 1..5),
    ) {
        let limits = Limits::new(limit, usize::MAX);
        let script = Script::of(steps.clone());
        let script = if sized { script.sized() } else { script };
        let template = ReplayBody::within(&limits, script);
        let original = seen(&steps);
        let has_data = |it: &&Seen| matches!(it, Seen::Data(_));
        let said = bytes(&original.iter().filter(has_data).cloned().collect::<Vec<_>>());
        let says_too_much = sized && said > limit;
        prop_assert_eq!(copies(&template) == Copies::Never, says_too_much);

        let mut most_read = 0;
        let mut left_behind = Vec::new();
        for (stops_after, stays) in attempts {
            let possible = most_read <= limit && !says_too_much;
            let copy = copy(&template);
            prop_assert_eq!(copy.is_some(), possible);
            let Some(mut attempt) = copy else { break };

            let seen = read(&mut attempt, stops_after);
            prop_assert_eq!(&seen[..], &original[..seen.len()]);
            most_read = most_read.max(bytes(&seen));
            prop_assert_eq!(limits.kept(), if most_read > limit { 0 } else { most_read });
            if stays {
                left_behind.push(attempt);
            }
        }

        let mut last = template;
        let read = to_the_end(&mut last);
        if most_read > limit {
            prop_assert_eq!(read, [failed(TooLarge)]);
        } else {
            prop_assert_eq!(read, original);
        }
        drop((last, left_behind));
        prop_assert_eq!(limits.kept(), 0);
    }
}
