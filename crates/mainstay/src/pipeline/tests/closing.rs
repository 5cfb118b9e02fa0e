//! A pipeline that takes no calls any more.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_closed_pipeline_takes_no_calls_and_waits_for_those_on_their_way() {
    let stand = Stand::of(Pipeline::standard());
    let (mut running, at_server) = stand.sent(get("a"));

    let mut closing = task::spawn(stand.pipeline.close());
    assert_pending!(closing.poll());
    assert_eq!(why(stand.ends(get("a"), 200)), Reason::Closed);
    assert_eq!(why(stand.ends(get("b"), 200)), Reason::Closed);
    assert!(stand.pipeline.reload(PipelineSpec::standard()).is_err());

    at_server.ends(Ok(answer(200)));
    assert!(closing.poll().is_pending());
    assert_eq!(said(assert_ready!(running.poll())), Ok(200));
    drop(running);
    assert!(closing.is_woken());
    assert_ready!(closing.poll());
}

#[tokio::test(start_paused = true)]
async fn calls_that_began_under_a_spec_from_before_are_waited_for_too() {
    let stand = Stand::of(Pipeline::standard());
    let (running, _at_server) = stand.sent(get("a"));
    stand.pipeline.reload(PipelineSpec::internal_service()).unwrap();
    let mut closing = task::spawn(stand.pipeline.close());
    assert_pending!(closing.poll());
    drop(running);
    assert_ready!(closing.poll());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_in_a_line_is_on_its_way() {
    let stand = Stand::guarded(|host| host.concurrency(1));
    let (mut first, at_server) = stand.sent(get("a"));
    let mut waits = stand.call(get("a"));
    assert_pending!(waits.poll());
    let mut closing = task::spawn(stand.pipeline.close());
    assert_pending!(closing.poll());

    at_server.ends(Ok(answer(200)));
    assert_eq!(said(assert_ready!(first.poll())), Ok(200));
    drop(first);
    assert_pending!(waits.poll());
    stand.server.next().ends(Ok(answer(201)));
    assert_eq!(said(assert_ready!(waits.poll())), Ok(201));
    assert_pending!(closing.poll());
    drop(waits);
    assert_ready!(closing.poll());
}

#[tokio::test(start_paused = true)]
async fn neither_who_looks_at_a_host_nor_who_reads_a_body_keeps_it_from_closing() {
    let stand = Stand::guarded(|host| host.concurrency(1).hold(Hold::Body { idle: secs(30) }));
    let (mut call, at_server) = stand.sent(get("a"));
    let looks = stand.host("a");
    at_server.ends(Ok(answer(200)));
    let body = assert_ready!(call.poll()).unwrap().into_body();
    drop(call);
    assert_ready!(task::spawn(stand.pipeline.close()).poll());
    assert_eq!(looks.concurrency().unwrap().snapshot().in_use, 1);
    drop(body);
    assert_eq!(looks.concurrency().unwrap().snapshot().in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_closed_by_several_at_once_and_again() {
    let stand = Stand::of(Pipeline::standard());
    let (running, _at_server) = stand.sent(get("a"));
    let (mut one, mut other) =
        (task::spawn(stand.pipeline.close()), task::spawn(stand.pipeline.close()));
    assert_pending!(one.poll());
    assert_pending!(other.poll());
    drop(running);
    assert_ready!(one.poll());
    assert_ready!(other.poll());
    assert_ready!(task::spawn(stand.pipeline.close()).poll());
}
