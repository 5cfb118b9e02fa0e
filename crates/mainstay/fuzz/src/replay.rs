//! A body that is sent again, read by several in any order.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use mainstay::http::ReplayBody;
use mainstay::http::body::{Broken, Superseded, TooLarge, copy};

/// What a stream does at a poll.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    Pending,
    /// So many bytes, each the number of the step.
    Data {
        number: u8,
        length: u8,
    },
    Trailers,
    Fails,
}

struct Script {
    steps: VecDeque<Step>,
    exact: Option<u64>,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Data { number, length }) => Some(Ok(Frame::data(data(number, length)))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(trailers()))),
            Some(Step::Fails) => Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// One who reads the body.
struct Reader {
    body: Option<ReplayBody>,
    /// How many frames.
    read: usize,
    bytes: u64,
    has_begun: bool,
    /// Whether nobody has begun after it.
    is_newest: bool,
}

impl Reader {
    fn of(body: ReplayBody) -> Self {
        Self { body: Some(body), read: 0, bytes: 0, has_begun: false, is_newest: false }
    }
}

/// The first byte is the limit, the second how many copies there are, then come the steps of the
/// stream up to a zero, then who reads.
pub fn feed(bytes: &[u8]) {
    let [limit, copies, rest @ ..] = bytes else { return };
    let limit = usize::from(*limit);
    let (steps, reads) =
        rest.split_at(rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len()));
    let steps: Vec<Step> =
        steps.iter().take(200).zip(1..).map(|(byte, n)| step(*byte, n)).collect();
    let whole: Vec<Step> = steps.iter().copied().filter(|step| *step != Step::Pending).collect();
    let fails = whole.iter().position(|step| *step == Step::Fails);
    let size: u64 = whole.iter().map(|step| length(*step)).sum();

    let is_sized = copies & 0x80 != 0 && fails.is_none();
    let script = Script { steps: steps.iter().copied().collect(), exact: is_sized.then_some(size) };
    let first = ReplayBody::with_limit(script, limit);
    if is_sized {
        assert_eq!(first.size_hint().exact(), Some(size));
    }
    let copies: Vec<_> = (0..copies % 4).map_while(|_| copy(&first)).collect();
    let mut readers: Vec<Reader> = std::iter::once(first).chain(copies).map(Reader::of).collect();

    // How many frames any of them has read.
    let mut longest = 0;
    for byte in reads {
        let which = usize::from(byte & 0x0f) % readers.len();
        if byte & 0xf0 == 0xf0 {
            readers[which].body = None;
            continue;
        }
        for _ in 0..=byte >> 4 {
            poll(&mut readers, which, &mut longest, &whole, limit, fails);
        }
    }
    // Whoever is left reads to the end, the newest last, so that one of them must succeed.
    readers.retain(|reader| reader.body.is_some());
    readers.sort_by_key(|reader| reader.is_newest);
    for which in 0..readers.len() {
        while readers[which].body.is_some() {
            poll(&mut readers, which, &mut longest, &whole, limit, fails);
        }
    }
}

fn step(byte: u8, number: u8) -> Step {
    match byte % 8 {
        0 => Step::Pending,
        1 if byte == 1 => Step::Fails,
        2 if byte == 2 => Step::Trailers,
        _ => Step::Data { number, length: byte >> 3 },
    }
}

fn length(step: Step) -> u64 {
    if let Step::Data { length, .. } = step { length.into() } else { 0 }
}

/// What counts towards the limit.
fn weight(step: Step) -> u64 {
    if step == Step::Trailers { "x-endyes".len() as u64 } else { length(step) }
}

fn data(number: u8, length: u8) -> Bytes {
    Bytes::from(vec![number; length.into()])
}

fn trailers() -> HeaderMap {
    let end = ("x-end".parse().expect("a name"), HeaderValue::from_static("yes"));
    HeaderMap::from_iter([end])
}

/// Whether this is the frame of that step.
fn is_of(frame: &Frame<Bytes>, step: Step) -> bool {
    match step {
        Step::Data { number, length } => frame.data_ref() == Some(&data(number, length)),
        Step::Trailers => frame.trailers_ref() == Some(&trailers()),
        Step::Pending | Step::Fails => false,
    }
}

fn poll(
    readers: &mut [Reader],
    which: usize,
    longest: &mut usize,
    whole: &[Step],
    limit: usize,
    fails: Option<usize>,
) {
    if readers[which].body.is_none() {
        return;
    }
    if !readers[which].has_begun {
        readers.iter_mut().for_each(|reader| reader.is_newest = false);
        (readers[which].has_begun, readers[which].is_newest) = (true, true);
    }
    let reader = &mut readers[which];
    let Some(body) = &mut reader.body else { return };
    let item = Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop()));
    let hint = body.size_hint();
    let size: u64 = whole.iter().map(|step| length(*step)).sum();
    match item {
        Poll::Pending => assert!(reader.is_newest, "it waits for what is not its own"),
        Poll::Ready(Some(Ok(frame))) => {
            let place = reader.read;
            assert!(reader.is_newest || place < *longest, "frame {place} is not its own");
            let step = *whole.get(place).expect("there is no such frame");
            assert!(is_of(&frame, step), "frame {place}: {frame:?} of {step:?}");
            reader.read += 1;
            reader.bytes += length(step);
            *longest = (*longest).max(reader.read);
            if let Some(exact) = hint.exact() {
                assert_eq!(exact, size - reader.bytes);
            }
        }
        Poll::Ready(None) => {
            assert_eq!(reader.read, whole.len(), "it said that this was all");
            reader.body = None;
        }
        Poll::Ready(Some(Err(error))) => {
            if error.is::<Superseded>() {
                assert!(!reader.is_newest, "nobody came after it");
                assert_eq!(reader.read, *longest, "what is kept is still its own");
            } else if error.is::<TooLarge>() {
                let read: u64 = whole[..*longest].iter().map(|step| weight(*step)).sum();
                let fits = read <= limit as u64 && *longest <= 64 + limit / 32;
                assert!(!fits, "{read} bytes in {longest} frames fit into {limit}");
            } else {
                assert_eq!(fails, Some(*longest), "it had not failed: {error}");
                assert!(error.is::<Broken>() || error.is::<io::Error>(), "{error}");
            }
            reader.body = None;
        }
    }
}
