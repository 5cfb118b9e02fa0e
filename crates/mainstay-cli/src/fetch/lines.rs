//! Records that are not written yet: how many there may be before nothing more is begun.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::flags::Order;
use super::record::Record;

/// How many lines there may be; one with a long body is as good as many.
const ROOM: usize = 8192;
/// So much of a body is as good as a line.
const PART: usize = 2 << 10;

/// Where records go from where they are made. Whoever has one never waits: it is for what has not
/// begun to wait until there is room.
#[derive(Clone)]
pub(crate) struct Lines {
    records: UnboundedSender<Record>,
    held: Held,
    /// In the order of the input: those that came before their turn.
    early: Option<Arc<Mutex<BTreeMap<u64, Record>>>>,
}

/// How many lines are held.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<watch::Sender<usize>>);

impl Lines {
    pub(super) fn to(records: UnboundedSender<Record>, held: Held) -> Self {
        Self { records, held, early: None }
    }

    pub(super) fn in_order(self, order: Order) -> Self {
        Self { early: (order == Order::Input).then(Arc::default), ..self }
    }

    /// Waits until one may begin that is begun in no order. In the order of the input the next one
    /// must not wait, since it is what the others wait for; there it is inputs that wait.
    pub(super) async fn may_begin(&self) {
        if self.early.is_none() && self.held.is_full() {
            self.held.has_room().await;
        }
    }

    /// Waits until another input may be taken, in the order of the input.
    pub(super) fn may_be_taken(&self) -> Option<BoxFuture<'static, ()>> {
        let waits = self.early.is_some() && self.held.is_full();
        let held = self.held.clone();
        waits.then(|| async move { held.has_room().await }.boxed())
    }

    /// Writes it, as soon as it is its turn.
    pub(super) fn put(&self, record: Record) {
        self.held.add(takes(&record));
        match self.early() {
            None => self.send(record),
            Some(mut early) => _ = early.insert(record.index, record),
        }
    }

    /// It is the turn of this one.
    pub(super) fn is_next(&self, index: u64) {
        if let Some(record) = self.early().and_then(|mut early| early.remove(&index)) {
            self.send(record);
        }
    }

    /// No turn comes any more.
    pub(super) fn ends(self) {
        let early = self.early().map(|mut early| std::mem::take(&mut *early));
        early.into_iter().flatten().for_each(|(_, record)| self.send(record));
    }

    /// Waits until nobody writes any more.
    pub(super) async fn closed(&self) {
        self.records.closed().await;
    }

    fn send(&self, record: Record) {
        // Whoever writes no more says why himself.
        let _ = self.records.send(record);
    }

    fn early(&self) -> Option<MutexGuard<'_, BTreeMap<u64, Record>>> {
        Some(self.early.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    /// These are written.
    pub(super) fn let_go(&self, records: &[Record]) {
        let parts: usize = records.iter().map(takes).sum();
        self.change(|held| *held -= parts);
    }

    fn add(&self, parts: usize) {
        self.change(|held| *held += parts);
    }

    /// Wakes somebody only where there is room again.
    fn change(&self, change: impl FnOnce(&mut usize)) {
        self.0.send_if_modified(|held| {
            let was_full = is_full(*held);
            change(held);
            was_full && !is_full(*held)
        });
    }

    fn is_full(&self) -> bool {
        is_full(*self.0.borrow())
    }

    async fn has_room(&self) {
        // It fails when there is nobody to send, who is here.
        let _ = self.0.subscribe().wait_for(|held| !is_full(*held)).await;
    }
}

const fn is_full(held: usize) -> bool {
    held >= ROOM
}

/// How much room a record takes.
fn takes(record: &Record) -> usize {
    1 + record.body.as_ref().map_or(0, String::len) / PART
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::fetch::job::{Defaults, Job};

    fn record(index: u64, length: usize) -> Record {
        let job = Job::of_url("http://a/", index, &Defaults::default());
        Record { body: Some("x".repeat(length)), ..Record::of(job.name) }
    }

    #[test]
    fn a_long_body_is_as_good_as_many_lines() {
        assert_eq!(
            [0, PART - 1, PART, 100 * PART].map(|length| takes(&record(0, length))),
            [1, 1, 2, 101]
        );
    }

    #[test]
    fn what_has_ended_never_waits_and_what_has_not_begun_does() {
        let (held, (records, mut written)) = (Held::default(), unbounded_channel());
        let lines = Lines::to(records, held.clone());
        (0..3).for_each(|index| lines.put(record(index, ROOM * PART)));
        assert_eq!(lines.may_begin().now_or_never(), None);
        for is_last in [false, false, true] {
            held.let_go(&[written.try_recv().unwrap()]);
            assert_eq!(lines.may_begin().now_or_never().is_some(), is_last);
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let (held, (records, mut written)) = (Held::default(), unbounded_channel());
        let lines = Lines::to(records, held.clone()).in_order(Order::Input);
        lines.put(record(0, ROOM * PART));
        let waits = lines.may_be_taken().unwrap();
        lines.is_next(0);
        let ((), ()) = tokio::join!(waits, async { held.let_go(&[written.try_recv().unwrap()]) });
        assert!(lines.may_be_taken().is_none());
    }

    #[test]
    fn in_order_each_waits_for_its_turn_and_in_the_end_for_none() {
        let (records, mut written) = unbounded_channel();
        let lines = Lines::to(records, Held::default()).in_order(Order::Input);
        assert!(lines.may_begin().now_or_never().is_some());
        [3, 1, 2, 0].into_iter().for_each(|index| lines.put(record(index, 0)));
        assert!(written.try_recv().is_err());
        lines.is_next(0);
        lines.is_next(4);
        assert_eq!(written.try_recv().map(|record| record.index), Ok(0));
        assert!(written.try_recv().is_err());
        lines.ends();
        let rest: Vec<_> =
            std::iter::from_fn(|| written.try_recv().ok()).map(|it| it.index).collect();
        assert_eq!(rest, [1, 2, 3]);
    }
}
