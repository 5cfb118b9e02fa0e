use std::task::Poll;

use super::*;
use crate::error::BoxError;
use crate::guard::Now;
use crate::http::Key;

fn results<T, E>(all: Vec<Completed<T, E>>) -> Vec<Result<T, ItemError<E>>> {
    all.into_iter().map(|done| done.result).collect()
}

#[tokio::test(start_paused = true)]
async fn something_is_made_of_each_answer_in_its_place() {
    let server = Server::default();
    let batch = Batch::over(server.service())
        .concurrency(1)
        .map(|time: u64| Ok::<_, BoxError>(time.to_string()))
        .map_async(|text: String| async move {
            sleep(ms(100)).await;
            Ok::<usize, BoxError>(text.parse()?)
        })
        .map_blocking(|number: usize| if number > 5 { Ok(number) } else { Err("too few".into()) });
    let (all, took) = timed(batch.keep_everything([7, 3, 10])).await;
    assert!(took >= ms(220), "{took:?}: the next one starts when all is done");
    let all = results::<usize, BoxError>(all);
    assert!(matches!(all[0], Ok(7)));
    for (end, why) in [(&all[1], "too few"), (&all[2], "it is odd")] {
        match end {
            Err(ItemError::Call(error)) => assert_eq!(error.to_string(), why),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_input_and_no_other() {
    let on_two = |n: u64| if n == 2 { panic!("two is too many") } else { Ok(n) };
    let inputs = [1, 2, 3];
    let sync = Batch::over(echo()).concurrency(2).map(on_two).keep_everything(inputs).await;
    let later = Batch::over(echo()).map_async(move |n| async move { on_two(n) });
    let later = later.keep_everything(inputs).await;
    let blocking = Batch::over(echo()).map_blocking(on_two).keep_everything(inputs).await;
    let service = service_fn(move |n: u64| async move { on_two(n) });
    let service: Vec<Completed<u64, Infallible>> =
        Batch::over(service).keep_everything(inputs).await;
    for all in [sync, later, blocking, service] {
        let all = results::<u64, Infallible>(all);
        assert!(matches!((&all[0], &all[2]), (Ok(1), Ok(3))));
        let Err(ItemError::Panicked(panic)) = &all[1] else { panic!("{all:?}") };
        assert_eq!(panic.to_string(), "two is too many");
    }
}

/// Panics with this number where it is told to.
#[derive(Clone, Copy, PartialEq)]
enum Spoilt {
    Key,
    Readiness,
    Drop,
    DropAtTheEnd,
}

impl Spoilt {
    fn panics(self, other: Self, n: u64) {
        assert!(self != other || n != 2, "two is too many");
    }
}

impl Readiness<u64> for Spoilt {
    fn key(&mut self, n: &u64) -> Option<Key> {
        self.panics(Self::Key, *n);
        None
    }

    fn waits_until(&mut self, n: &u64, _: &Now) -> Option<Until> {
        self.panics(Self::Readiness, *n);
        None
    }
}

struct Bomb(Spoilt, u64);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.panics(Spoilt::Drop, self.1);
        self.0.panics(Spoilt::DropAtTheEnd, self.1);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_panics_for_an_input_fails_that_one_alone() {
    for odd in [Spoilt::Key, Spoilt::Readiness, Spoilt::Drop] {
        let service = service_fn(move |n: u64| {
            let bomb = Bomb(odd, n);
            std::future::poll_fn(move |_| Poll::Ready(Ok::<_, Infallible>(bomb.1)))
        });
        let all = Batch::over(service).concurrency(1).asking(odd).keep_everything([1, 2, 3]).await;
        assert!(matches!((&all[0].result, &all[2].result), (Ok(1), Ok(3))));
        let Err(ItemError::Panicked(panic)) = &all[1].result else { panic!("{all:?}") };
        assert_eq!(panic.to_string(), "two is too many");
    }
    let hangs = service_fn(|n: u64| {
        let bomb = Bomb(Spoilt::DropAtTheEnd, n);
        std::future::poll_fn(move |_| {
            let _ = &bomb;
            Poll::<Result<(), Infallible>>::Pending
        })
    });
    let all = Batch::over(hangs).deadline(ms(1)).keep_everything([1, 2, 3]).await;
    assert!(all.iter().all(|done| matches!(done.result, Err(ItemError::Deadline))));
}

#[tokio::test(start_paused = true)]
async fn a_function_is_called_for_each_input_and_may_borrow() {
    let most = &std::cell::Cell::new(0);
    let twice = |n: u64| async move {
        most.set(n.max(most.get()));
        sleep(ms(n)).await;
        if n == 3 { Err(Odd) } else { Ok(2 * n) }
    };
    let (all, took) = timed(Batch::calls(twice).concurrency(2).keep_everything(1..=4)).await;
    assert_eq!((most.get(), took), (4, ms(6)));
    let all = results(all);
    assert!(matches!(all[..], [Ok(2), Ok(4), Err(ItemError::Call(Odd)), Ok(8)]), "{all:?}");
    let failed = Batch::calls(twice).all_or_nothing([3]).await.unwrap_err();
    assert_eq!(failed.error.to_string(), "it is odd");
    let panics = |_: u64| async { panic!("inside") };
    let all = Batch::calls(panics).keep_everything([1]).await;
    let all = results::<u64, Infallible>(all);
    assert!(matches!(all[0], Err(ItemError::Panicked(_))));
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_says_is_a_failure_where_that_counts() {
    use ::http::{Request, Response, StatusCode};
    use http_body_util::Full;

    let service = service_fn(|request: Request<u16>| {
        let answer = Response::builder().status(*request.body());
        std::future::ready(Ok::<_, Infallible>(
            answer.body(Full::<bytes::Bytes>::from("well")).unwrap(),
        ))
    });
    let inputs = || [200_u16, 302, 404, 503].map(Request::new);
    let all = Batch::http(service).keep_everything(inputs()).await;
    assert!(all.iter().all(|done| done.result.is_ok()));
    let all = Batch::http(service).error_for_status().keep_everything(inputs()).await;
    let failed: Vec<_> = all
        .iter()
        .map(|done| match &done.result {
            Ok(answer) => answer.status(),
            Err(ItemError::Status(status)) => *status,
            Err(other) => panic!("{other}"),
        })
        .collect();
    assert_eq!(failed, inputs().map(|request| StatusCode::from_u16(*request.body()).unwrap()));
    let ends: Vec<_> = all.iter().map(|done| done.result.is_ok()).collect();
    assert_eq!(ends, [true, true, false, false]);
    let failed = Batch::http(service).error_for_status().all_or_nothing(inputs()).await;
    assert_eq!(failed.unwrap_err().error.to_string(), "the answer was 404 Not Found");
}
