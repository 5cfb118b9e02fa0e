//! A body that is sent again, read by several in any order.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use mainstay::http::ReplayBody;
use mainstay::http::body::{Superseded, TooLarge, copy};

/// What a stream does at a poll.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    Pending,
    Data(u8),
    Trailers,
    Fails,
}

struct Script {
    steps: VecDeque<Step>,
    sent: u8,
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
            Some(Step::Data(length)) => {
                self.sent = self.sent.wrapping_add(1);
                Some(Ok(Frame::data(Bytes::from(vec![self.sent; length.into()]))))
            }
            Some(Step::Trailers) => {
                let end = ("x-end".parse().expect("a name"), HeaderValue::from_static("yes"));
                Some(Ok(Frame::trailers(HeaderMap::from_iter([end]))))
            }
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
    read: Vec<Step>,
    bytes: u64,
    is_newest: bool,
}

/// The first byte is the limit, the second how many copies there are, then come the steps of the
/// stream up to a zero, then who reads.
pub fn feed(bytes: &[u8]) {
    let [limit, copies, rest @ ..] = bytes else { return };
    let limit = usize::from(*limit);
    let (steps, reads) =
        rest.split_at(rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len()));
    let steps: Vec<Step> = steps.iter().take(200).map(|byte| step(*byte)).collect();
    let whole: Vec<Step> = steps.iter().copied().filter(|step| *step != Step::Pending).collect();
    let fails = whole.iter().position(|step| *step == Step::Fails);
    let size: u64 = whole.iter().map(|step| length(*step)).sum();

    let is_sized = copies & 0x80 != 0 && fails.is_none();
    let script =
        Script { steps: steps.iter().copied().collect(), sent: 0, exact: is_sized.then_some(size) };
    let first = ReplayBody::with_limit(script, limit);
    if is_sized {
        assert_eq!(first.size_hint().exact(), Some(size));
    }
    let copies: Vec<_> = (0..copies % 4).map_while(|_| copy(&first)).collect();
    let mut readers: Vec<Reader> = std::iter::once(first)
        .chain(copies)
        .map(|body| Reader { body: Some(body), read: Vec::new(), bytes: 0, is_newest: false })
        .collect();

    // Which of them has asked last for what nobody had read.
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

fn step(byte: u8) -> Step {
    match byte % 8 {
        0 => Step::Pending,
        1 if byte == 1 => Step::Fails,
        2 if byte == 2 => Step::Trailers,
        _ => Step::Data(byte >> 3),
    }
}

fn length(step: Step) -> u64 {
    if let Step::Data(length) = step { length.into() } else { 0 }
}

fn poll(
    readers: &mut [Reader],
    which: usize,
    longest: &mut usize,
    whole: &[Step],
    limit: usize,
    fails: Option<usize>,
) {
    let Some(body) = &mut readers[which].body else { return };
    let item = Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop()));
    let hint = body.size_hint();
    let asks = readers[which].read.len() >= *longest;
    if asks
        && !readers[which].is_newest
        && !matches!(&item, Poll::Ready(Some(Err(error))) if error.is::<Superseded>())
    {
        readers.iter_mut().for_each(|reader| reader.is_newest = false);
        readers[which].is_newest = true;
    }
    let reader = &mut readers[which];
    match item {
        Poll::Pending => {}
        Poll::Ready(Some(Ok(frame))) => {
            let came = frame.data_ref().map_or(Step::Trailers, |data| {
                Step::Data(u8::try_from(data.len()).expect("no frame is longer"))
            });
            let place = reader.read.len();
            assert_eq!(Some(&came), whole.get(place), "frame {place}");
            reader.read.push(came);
            reader.bytes += length(came);
            *longest = (*longest).max(reader.read.len());
            if let Some(exact) = hint.exact() {
                let size: u64 = whole.iter().map(|step| length(*step)).sum();
                assert_eq!(exact, size - reader.bytes);
            }
        }
        Poll::Ready(None) => {
            assert_eq!(reader.read, whole, "it said that this was all");
            reader.body = None;
        }
        Poll::Ready(Some(Err(error))) => {
            if error.is::<Superseded>() {
                assert!(!reader.is_newest, "nobody came after it");
            } else if error.is::<TooLarge>() {
                let size: u64 = whole.iter().map(|step| length(*step)).sum();
                assert!(size > limit as u64 || whole.len() > 64, "{size} bytes fit into {limit}");
            } else {
                assert!(fails.is_some_and(|fails| fails <= *longest), "it had not failed: {error}");
            }
            reader.body = None;
        }
    }
}
