//! What a body says of its size and its end, and the ends that are no good ones.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http_body_util::{BodyExt, Empty, Full};

use super::super::{Broken, Superseded};
use super::*;

fn bounds(body: &ReplayBody) -> (u64, Option<u64>) {
    (body.size_hint().lower(), body.size_hint().upper())
}

#[test]
fn the_size_is_the_originals_less_what_this_copy_has_read() {
    let mut first = ReplayBody::new(Script::of(ten_chunks()).sized());
    let mut second = copied(&first);
    assert_eq!(bounds(&first), (55, Some(55)));
    next_few(&mut first, 3);
    assert_eq!(bounds(&first), (49, Some(49)));
    assert_eq!(bounds(&second), (55, Some(55)));
    next(&mut second);
    assert_eq!(bounds(&second), (54, Some(54)));
    to_the_end(&mut second);
    assert_eq!(bounds(&second), (0, Some(0)));
    assert_eq!(bounds(&copied(&first)), (55, Some(55)));
}

#[test]
fn a_vague_size_stays_vague_so_that_each_attempt_is_framed_the_same() {
    let mut first = ReplayBody::new(Script::of(ten_chunks()).with_size(2, Some(60)));
    let second = copied(&first);
    next_few(&mut first, 2);
    assert_eq!(bounds(&first), (0, Some(57)));
    to_the_end(&mut first);
    assert_eq!(bounds(&first), (0, Some(0)));
    assert_eq!(bounds(&second), (2, Some(60)));

    let mut first = ReplayBody::new(Script::of([]));
    let mut second = copied(&first);
    assert_eq!(to_the_end(&mut first), [Seen::End]);
    assert!(!second.is_end_stream(), "the first did not know that it is empty");
    assert_eq!(bounds(&second), (0, None));
    assert_eq!(to_the_end(&mut second), [Seen::End]);
    assert!(second.is_end_stream());
}

#[test]
fn a_size_that_is_a_lie_does_no_harm() {
    let mut body = ReplayBody::new(Script::of(ten_chunks()).with_size(5, Some(5)));
    assert_eq!(to_the_end(&mut body), seen(&ten_chunks()));
}

#[test]
fn an_empty_body_is_at_its_end_from_the_start() {
    let body = ReplayBody::new(Empty::<Bytes>::new());
    assert!(body.is_end_stream());
    assert_eq!(bounds(&body), (0, Some(0)));
    assert!(copied(&body).is_end_stream());
    let full = ReplayBody::new(Full::new(Bytes::new()));
    assert!(full.is_end_stream());
}

#[test]
fn the_end_is_told_as_soon_as_it_is_known_and_of_each_copy_for_itself() {
    let mut first = ReplayBody::new(Script::of([data("a"), data("b")]).sized());
    let mut second = copied(&first);
    next(&mut first);
    assert!(!first.is_end_stream());
    next(&mut first);
    assert!(first.is_end_stream());
    assert!(!second.is_end_stream());
    next(&mut second);
    assert!(!second.is_end_stream());
    next(&mut second);
    assert!(second.is_end_stream());
}

#[test]
fn an_end_that_is_not_told_before_is_known_when_it_is_read() {
    let mut body = ReplayBody::new(Script::of([data("a")]));
    next(&mut body);
    assert!(!body.is_end_stream());
    assert_eq!(next(&mut body), Seen::End);
    assert!(body.is_end_stream());
    assert_eq!(next(&mut body), Seen::End);
}

#[test]
fn a_stream_is_not_polled_after_its_end() {
    let script = Script::of([data("a")]);
    let log = script.log();
    let mut first = ReplayBody::new(script);
    let mut second = copied(&first);
    to_the_end(&mut first);
    to_the_end(&mut second);
    next(&mut first);
    next(&mut second);
    assert_eq!(log.polls(), 2);
}

#[test]
fn an_error_of_the_stream_is_passed_on_and_makes_copies_impossible() {
    let steps = [data("a"), Step::Fails, data("never read")];
    let mut first = ReplayBody::new(Script::of(steps.clone()));
    let mut second = copied(&first);
    assert_eq!(to_the_end(&mut first), seen(&steps[..2])[..2]);
    assert_eq!(next(&mut first), Seen::End);
    assert_eq!(copies(&first), Copies::Never);
    assert!(copy(&first).is_none());
    assert_eq!(copies(&second), Copies::Never);
    assert!(!second.is_end_stream());
    assert_eq!(next(&mut second), failed(Broken));
}

#[test]
fn an_error_of_the_stream_keeps_its_type() {
    #[derive(Debug)]
    struct Mine;
    impl std::fmt::Display for Mine {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("mine")
        }
    }
    impl std::error::Error for Mine {}

    let mut body = ReplayBody::new(Script::of([Step::Fails]).map_err(|_| Mine));
    let polled = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Some(Err(error))) = polled else { panic!("{polled:?}") };
    assert!(error.is::<Mine>());
}

#[test]
fn after_a_panic_of_the_stream_nobody_hangs() {
    let mut first = ReplayBody::new(Script::of([data("a"), Step::Panics, data("never read")]));
    let mut second = copied(&first);
    next(&mut first);
    catch_unwind(AssertUnwindSafe(|| next(&mut first))).unwrap_err();

    assert_eq!(copies(&second), Copies::Never);
    assert_eq!(next(&mut second), failed(Broken));
    assert_eq!(next(&mut first), failed(Broken));
}

#[test]
fn a_copy_that_waits_for_its_turn_is_woken_when_the_stream_panics() {
    let (wakes, waker) = Wakes::new();
    let reads = Arc::new(Mutex::new(None));
    let mut first =
        ReplayBody::new(Reenters { reads: Arc::clone(&reads), waker, panics: true, polls: 0 });
    *reads.lock().unwrap() = Some(copied(&first));
    catch_unwind(AssertUnwindSafe(|| next(&mut first))).unwrap_err();
    assert_eq!(wakes.count(), 1);
    let mut second = reads.lock().unwrap_or_else(|it| it.into_inner()).take().unwrap();
    assert_eq!(next(&mut second), failed(Broken));
}

#[test]
fn a_copy_that_comes_while_an_older_one_polls_the_stream_is_woken_when_it_is_back() {
    let (wakes, waker) = Wakes::new();
    let reads = Arc::new(Mutex::new(None));
    let mut first =
        ReplayBody::new(Reenters { reads: Arc::clone(&reads), waker, panics: false, polls: 0 });
    *reads.lock().unwrap() = Some(copied(&first));
    assert_eq!(next(&mut first), failed(Superseded));
    assert_eq!(wakes.count(), 1);
    assert_eq!(next(&mut first), Seen::End);

    let mut second = reads.lock().unwrap().take().unwrap();
    assert_eq!(to_the_end(&mut second), [Seen::Data("late".into()), Seen::End]);
}

#[test]
fn every_body_fits_every_transport() {
    fn fits<B: Body<Data = Bytes> + Send + Sync + Unpin + 'static>() {}
    fits::<ReplayBody>();
}

/// While it is polled for the first time, another copy is polled.
struct Reenters {
    reads: Arc<Mutex<Option<ReplayBody>>>,
    waker: Waker,
    panics: bool,
    polls: u32,
}

impl Body for Reenters {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.polls += 1;
        match self.polls {
            1 => {}
            2 => return Poll::Ready(Some(Ok(Frame::data("late".into())))),
            _ => return Poll::Ready(None),
        }
        let mut other = self.reads.lock().unwrap().take().unwrap();
        assert_eq!(next_with(&mut other, &self.waker), Seen::Pending);
        *self.reads.lock().unwrap() = Some(other);
        assert!(!self.panics, "the body panics");
        Poll::Pending
    }
}
