use futures_util::stream as streams;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use tokio_test::{assert_pending, assert_ready, task};

use super::*;

#[tokio::test(start_paused = true)]
async fn ids_and_inputs_come_back_with_their_results() {
    let server = Server::default();
    let named = Batch::over(server.service()).with_ids();
    let results = named.keep_everything([("a", 3), ("b", 1)]).await;
    assert_eq!((results[0].id, results[1].id), ("a", "b"));
    let kept = Batch::over(server.service()).keep_inputs();
    let results = kept.keep_everything([30, 1]).await;
    assert_eq!((results[0].id, results[1].id), (30, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_pauses_holds_nobody_up_and_is_polled_when_there_is_room() {
    let server = Server::default();
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let inputs = streams::poll_fn(move |cx| receive.poll_recv(cx));
    let batch = Batch::over(server.service()).concurrency(2);
    let mut results = task::spawn(batch.as_completed(stream(inputs)));
    assert_pending!(results.poll_next());
    assert!(!results.is_woken());
    (0..3).for_each(|_| send.send(7).unwrap());
    assert!(results.is_woken());
    assert_pending!(results.poll_next());
    assert_eq!(server.started(), 2);
    drop(send);
    tokio::time::advance(ms(7)).await;
    assert!(results.is_woken());
    assert!(results.poll_next().is_ready());
    assert_eq!(server.started(), 2, "it is not pulled before it is asked for");
    let mut results = results.into_inner();
    assert!(results.next().await.is_some() && results.next().await.is_some());
    assert!(results.next().await.is_none());
}

/// Nothing wakes itself: each pending poll waits for somebody.
#[tokio::test(start_paused = true)]
async fn nobody_is_polled_who_was_not_woken() {
    let server = Server::default();
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let service = server.service();
    let service = service_fn(move |time: u64| {
        let mut call = Box::pin(service.clone().call(time));
        let counted = Arc::clone(&counted);
        std::future::poll_fn(move |cx| {
            counted.fetch_add(1, SeqCst);
            call.as_mut().poll(cx)
        })
    });
    let mut results = task::spawn(Batch::over(service).concurrency(50).as_completed(1..=100));
    let mut ended = 0;
    loop {
        match results.poll_next() {
            Poll::Ready(Some(_)) => ended += 1,
            Poll::Ready(None) => break,
            Poll::Pending => {
                assert!(!results.is_woken());
                while !results.is_woken() {
                    tokio::time::advance(ms(1)).await;
                }
            }
        }
    }
    assert_eq!((ended, polls.load(SeqCst)), (100, 200));
}

/// Of each of its clones but the first it says that it is ready.
struct FirstIsBusy {
    clones: Arc<AtomicUsize>,
    number: usize,
}

impl Clone for FirstIsBusy {
    fn clone(&self) -> Self {
        let number = self.clones.fetch_add(1, SeqCst);
        Self { clones: Arc::clone(&self.clones), number }
    }
}

impl Service<u64> for FirstIsBusy {
    type Response = u64;
    type Error = Infallible;
    type Future = std::future::Ready<Result<u64, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.number == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, request: u64) -> Self::Future {
        std::future::ready(Ok(request))
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_whose_service_is_not_ready_holds_up_no_other() {
    let service = FirstIsBusy { clones: Arc::default(), number: 9 };
    let mut results = Batch::over(service).concurrency(2).as_completed(0..10);
    for index in 1..10 {
        assert_eq!(results.next().await.unwrap().index, index);
    }
    assert!(tokio::time::timeout(ms(1), results.next()).await.is_err());
}

/// Of twenty thousand inputs, no more live at a time than run and are held.
#[tokio::test(start_paused = true)]
async fn memory_does_not_grow_with_the_inputs() {
    struct Input(#[expect(dead_code, reason = "it is dropped")] Live, u64);
    let (made, server) = (Server::default(), Server::default());
    let inputs = || {
        let made = made.clone();
        (0..20_000_u64).map(move |n| Input(made.enters(), n))
    };
    let service = || {
        let server = server.clone();
        service_fn(move |input: Input| {
            let live = server.enters();
            async move {
                sleep(ms(1 + input.1 * 7 % 13)).await;
                drop(live);
                Ok::<_, Infallible>(input)
            }
        })
    };
    let mut results = Batch::over(service()).concurrency(100).as_completed(inputs());
    while results.next().await.is_some() {}
    assert_eq!((made.started(), made.live(), server.most()), (20_000, 0, 100));
    assert!(made.most() <= 101, "{} as completed", made.most());

    let mut results = Batch::over(service()).concurrency(100).window(150).in_order(inputs());
    while results.next().await.is_some() {}
    assert!(made.most() <= 151 && made.live() == 0, "{} in order", made.most());
}

#[tokio::test(start_paused = true)]
async fn who_was_woken_has_a_turn_beside_those_that_end_at_once() {
    let service = service_fn(|input: u64| async move {
        if input == 0 {
            tokio::task::yield_now().await;
        }
        Ok::<_, Infallible>(input)
    });
    let mut results = Batch::over(service).concurrency(2).as_completed(0..1_000);
    let mut before = 0;
    while results.next().await.unwrap().index != 0 {
        before += 1;
        tokio::task::yield_now().await;
    }
    assert!(before <= 4, "{before} went by");
}

/// Of two that are woken at once, the place of the first is taken again before the second ends.
#[tokio::test(start_paused = true)]
async fn an_input_is_called_as_soon_as_it_has_a_place() {
    let server = Server::default();
    let mut results =
        task::spawn(Batch::over(server.service()).concurrency(2).as_completed([7; 9]));
    assert_pending!(results.poll_next());
    tokio::time::advance(ms(7)).await;
    assert!(results.poll_next().is_ready());
    assert_eq!(server.started(), 2, "nothing is started before somebody asks for more");
    assert!(results.poll_next().is_ready());
    assert_eq!(server.started(), 3, "the next one has been called before the second has ended");
}

/// What others move on: woken as often as they like, and done when they say so.
#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    fn wakes(&self) {
        self.waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
    }

    fn opens(&self) {
        self.is_open.store(true, SeqCst);
        self.wakes();
    }
}

/// The first ends, the second is only woken; before it is polled, the third ends.
#[tokio::test(start_paused = true)]
async fn who_ends_between_two_results_is_seen_when_the_next_is_asked_for() {
    let gates: [Arc<Gate>; 3] = Default::default();
    let known = gates.clone();
    let service = service_fn(move |input: usize| {
        let gate = Arc::clone(&known[input]);
        std::future::poll_fn(move |cx| {
            *gate.waker.lock().unwrap() = Some(cx.waker().clone());
            let is_open = gate.is_open.load(SeqCst);
            if is_open { Poll::Ready(Ok::<_, Infallible>(input)) } else { Poll::Pending }
        })
    });
    let mut results = task::spawn(Batch::over(service).as_completed(0..3));
    assert_pending!(results.poll_next());
    gates[0].opens();
    gates[1].wakes();
    assert_eq!(assert_ready!(results.poll_next()).unwrap().index, 0);
    gates[2].opens();
    assert_eq!(assert_ready!(results.poll_next()).unwrap().index, 2);
    assert_pending!(results.poll_next());
    gates[1].opens();
    assert!(results.is_woken());
    assert_eq!(assert_ready!(results.poll_next()).unwrap().index, 1);
}
