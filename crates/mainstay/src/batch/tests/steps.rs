use super::*;
use crate::error::BoxError;

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
