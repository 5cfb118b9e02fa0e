//! Two threads, an old reader and a new one.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use http_body_util::BodyExt;

use super::super::Superseded;
use super::*;

const ROUNDS: usize = 400;
const CHUNKS: u8 = 40;
const TOO_LONG: Duration = Duration::from_secs(20);

/// A body that another thread feeds.
#[derive(Clone, Default)]
struct Fed(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Option<Bytes>>,
    waker: Option<Waker>,
}

impl Fed {
    fn feed(&self, chunk: Option<Bytes>) {
        let mut queue = self.0.lock().unwrap();
        queue.chunks.push_back(chunk);
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut queue = self.0.lock().unwrap();
        let Some(chunk) = queue.chunks.pop_front() else {
            queue.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Reads a body on a thread of its own; a reader that is never woken sends no answer.
fn reads(body: ReplayBody) -> mpsc::Receiver<Result<Bytes, BoxError>> {
    let (answer, answers) = mpsc::channel();
    thread::spawn(move || {
        let read = block_on(body.collect()).map(http_body_util::Collected::to_bytes);
        answer.send(read)
    });
    answers
}

#[test]
fn a_new_reader_gets_everything_while_an_old_one_races_it() {
    let whole: Bytes = (0..CHUNKS).collect();
    let mut superseded = 0;
    for round in 0..ROUNDS {
        let fed = Fed::default();
        let old = ReplayBody::new(fed.clone());
        let new = copied(&old);
        let feeder = thread::spawn(move || {
            for n in 0..CHUNKS {
                fed.feed(Some(Bytes::from(vec![n])));
                if usize::from(n) % 8 == round % 8 {
                    thread::yield_now();
                }
            }
            fed.feed(None);
        });
        // Which of the two begins last is up to the threads; that one is the newer.
        let (old, new) = (reads(old), reads(new));
        let answers = [old, new].map(|it| it.recv_timeout(TOO_LONG).expect("a reader hangs"));
        feeder.join().unwrap();

        let mut complete = 0;
        for answer in answers {
            match answer {
                Ok(bytes) => {
                    assert_eq!(bytes, whole);
                    complete += 1;
                }
                Err(error) => {
                    assert!(error.is::<Superseded>(), "{error}");
                    superseded += 1;
                }
            }
        }
        assert!(complete >= 1, "nobody got the whole in round {round}");
    }
    assert!(superseded > 0, "the readers never met");
}

#[test]
fn a_new_reader_gets_everything_when_the_old_one_leaves_at_any_moment() {
    let whole: Bytes = (0..CHUNKS).collect();
    for round in 0..ROUNDS {
        let fed = Fed::default();
        let mut old = ReplayBody::new(fed.clone());
        let new = copied(&old);
        let feeder = thread::spawn(move || {
            for n in 0..CHUNKS {
                fed.feed(Some(Bytes::from(vec![n])));
            }
            fed.feed(None);
        });
        let leaver = thread::spawn(move || {
            for _ in 0..round % 50 {
                next(&mut old);
            }
        });
        // It begins after the old one or before: then it is superseded, and begins again.
        let again = copied(&new);
        match reads(new).recv_timeout(TOO_LONG).expect("a reader hangs") {
            Ok(bytes) => assert_eq!(bytes, whole),
            Err(error) => {
                assert!(error.is::<Superseded>(), "{error}");
                leaver.join().unwrap();
                let bytes = reads(again).recv_timeout(TOO_LONG).expect("a reader hangs").unwrap();
                assert_eq!(bytes, whole);
            }
        }
        feeder.join().unwrap();
    }
}

/// Code of others: as a waker and as the memory of a frame, it asks a body of the same stream.
#[derive(Clone)]
struct Asks(Arc<Mutex<Option<ReplayBody>>>);

impl Asks {
    fn ask(&self) {
        if let Some(body) = &*self.0.lock().unwrap() {
            assert_ne!(copies(body), Copies::Alongside);
        }
    }
}

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        self.ask();
    }
}

impl AsRef<[u8]> for Asks {
    fn as_ref(&self) -> &[u8] {
        b"ten bytes!"
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.ask();
    }
}

#[test]
fn no_code_of_others_runs_under_the_lock() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let asks = Asks(Arc::default());
        let waker = || Waker::from(Arc::new(asks.clone()));
        let chunk = Bytes::from_owner(asks.clone());
        let waits = [Step::Waits, Step::Waits, Step::Waits];
        let steps = [Step::Data(chunk)].into_iter().chain(waits).chain([data(vec![0; 16])]);
        let script = Script::of(steps);
        let log = script.log();
        let mut old = ReplayBody::with_limit(script, 25);
        let (mut gone, mut new) = (copied(&old), copied(&old));
        *asks.0.lock().unwrap() = Some(copied(&old));

        let begins = |body: &mut ReplayBody| {
            assert_eq!(next_with(body, &waker()), Seen::Data("ten bytes!".into()));
        };
        begins(&mut old);
        assert_eq!(next_with(&mut old, &waker()), Seen::Pending);
        begins(&mut gone); // wakes the old one
        assert_eq!(next_with(&mut gone, &waker()), Seen::Pending);
        log.waker.lock().unwrap().take();
        drop(gone); // and with it the last of its waker
        begins(&mut new);
        assert_eq!(next_with(&mut new, &waker()), Seen::Pending);
        assert_eq!(next_with(&mut new, &waker()), Seen::Data(vec![0; 16].into())); // frees all
        done.send(())
    });
    is_done.recv_timeout(TOO_LONG).expect("it waits for itself, or panics");
}
