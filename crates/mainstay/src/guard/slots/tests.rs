use std::future::Future;

use mainstay_policy::concurrency::Concurrency;
use tokio_test::{assert_pending, assert_ready, task};

use super::*;

const LONG: Duration = Duration::from_secs(3600);

fn queue(limit: u32) -> SlotQueue<Slots> {
    SlotQueue::new(Slots::new(Concurrency::limit(limit).max_waiting(2)).unwrap(), LONG)
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_given_when_it_comes_back_and_not_when_its_owner_looks() {
    let queue = queue(2);
    let slots: Vec<_> = (0..2).filter_map(|_| queue.slots().try_enter()).collect();
    let mut lazy = task::spawn(queue.wait(clock::now() + LONG));
    let mut eager = task::spawn(queue.wait(clock::now() + LONG));
    assert_pending!(lazy.poll());
    assert_pending!(eager.poll());
    for slot in slots {
        queue.wake(queue.slots().leave(slot));
    }
    assert!(lazy.is_woken() && eager.is_woken());
    let slot = assert_ready!(eager.poll()).unwrap();
    assert_eq!(queue.slots().snapshot().in_use, 2);

    drop(lazy); // without ever having looked
    assert_eq!(queue.slots().snapshot().in_use, 1);
    queue.wake(queue.slots().leave(slot));
    assert_eq!(queue.slots().snapshot().in_use, 0);
    assert!(queue.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_came_back_before_one_stood_in_line_is_found() {
    let queue = queue(1);
    let slot = queue.slots().try_enter().unwrap();
    let Entry::Queued(waiting) = queue.slots().enter() else { panic!("it is taken") };
    queue.wake(queue.slots().leave(slot)); // nobody stands yet
    let mut spot = queue.stand(waiting);
    let slot = assert_ready!(task::spawn(()).enter(|cx, _| spot.poll(cx)));
    queue.wake(queue.slots().leave(slot));
    assert_eq!(queue.slots().snapshot().in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_or_finds_the_line_full_is_told_which() {
    let queue = queue(1);
    let _slot = queue.slots().try_enter().unwrap();
    let mut first = task::spawn(queue.wait(clock::now() + Duration::from_secs(1)));
    let mut second = task::spawn(queue.wait(clock::now() + LONG));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    assert_eq!(
        assert_ready!(task::spawn(queue.wait(clock::now() + LONG)).poll()),
        Err(NoSlot::Full)
    );
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert_eq!(assert_ready!(first.poll()), Err(NoSlot::TooLong));
}

#[tokio::test(start_paused = true)]
async fn who_is_polled_by_another_task_is_woken_there() {
    let queue = queue(1);
    let slot = queue.slots().try_enter().unwrap();
    let mut waits = Box::pin(queue.wait(clock::now() + LONG));
    let (mut one, mut other) = (task::spawn(()), task::spawn(()));
    assert_pending!(one.enter(|cx, _| waits.as_mut().poll(cx)));
    assert_pending!(other.enter(|cx, _| waits.as_mut().poll(cx)));
    queue.wake(queue.slots().leave(slot));
    assert!(other.is_woken() && !one.is_woken());
}

#[tokio::test(start_paused = true)]
async fn who_is_polled_by_one_with_a_timer_tells_it_when_and_needs_none() {
    let queue = queue(1);
    let _slot = queue.slots().try_enter().unwrap();
    let end = clock::now() + Duration::from_secs(1);
    let (mut waits, mut looks) = (Box::pin(queue.wait(end)), Moment::MAX);
    let mut task = task::spawn(());
    let mut poll =
        || task.enter(|cx, _| scope::rings(&mut looks, cx, |cx| waits.as_mut().poll(cx)));
    assert_pending!(poll());
    tokio::time::advance(Duration::from_millis(999)).await;
    assert_pending!(poll());
    tokio::time::advance(Duration::from_millis(2)).await;
    assert_eq!(assert_ready!(poll()), Err(NoSlot::TooLong));
    assert_eq!(looks, end);
    assert!(!task.is_woken());
}
