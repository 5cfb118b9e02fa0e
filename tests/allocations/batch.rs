use std::convert::Infallible;
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use allocation_counter::measure;
use http::Request;
use mainstay::batch::Batch;
use mainstay::http::ByHost;
use tokio::runtime::Builder;
use tower::service_fn;

/// How many allocations so many inputs take, each of which is pending once.
fn counted(run: impl Fn(u32)) -> u64 {
    run(1_000); // what is made once in a process
    let (few, many) = (measure(|| run(1_000)).count_total, measure(|| run(11_000)).count_total);
    (many - few) / 100
}

async fn once_pending() {
    let mut is_first = true;
    std::future::poll_fn(move |cx| {
        if std::mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

#[test]
fn an_input_of_a_batch_costs_no_allocation_beyond_those_of_its_call() {
    let plain = counted(|inputs| {
        run_to_end(async {
            let service = service_fn(|n: u32| async move {
                once_pending().await;
                Ok::<_, Infallible>(n)
            });
            let batch = Batch::over(service).concurrency(100).deadline(Duration::from_secs(60));
            let mut results = batch.as_completed(0..inputs);
            while results.next().await.is_some() {}
        });
    });
    assert_eq!(plain, 0, "in a hundred inputs");

    let by_host = counted(|inputs| {
        run_to_end(async {
            let service = service_fn(|request: Request<()>| async move {
                once_pending().await;
                Ok::<_, Infallible>(request)
            });
            let request = Request::get("https://api.example.com/").body(()).unwrap();
            let made = measure(|| drop(request.clone())).count_total;
            assert_eq!(made, 0);
            let inputs = (0..inputs).map(move |_| request.clone());
            let batch = Batch::over(service).fair_by(ByHost).concurrency(100);
            let mut results = batch.in_order(inputs);
            while results.next().await.is_some() {}
        });
    });
    assert_eq!(by_host, 0, "in a hundred inputs");
}

fn run_to_end(future: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(future);
}
