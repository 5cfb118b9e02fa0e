//! Many calls through one service: hundreds or hundreds of thousands, so many at a time.
//!
//! ```
//! use mainstay::batch::Batch;
//! # use std::convert::Infallible;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let service = tower::service_fn(|n: u32| async move { Ok::<_, Infallible>(n * n) });
//! let mut results = Batch::over(service).concurrency(200).in_order(1..=1_000);
//! while let Some(done) = results.next().await {
//!     match done.result {
//!         Ok(answer) => println!("{}: {answer}", done.index),
//!         Err(error) => eprintln!("{}: {error}", done.index),
//!     }
//! }
//! # }
//! ```
//!
//! Of a client (feature `client`) it is `client.batch()`, of URLs and requests; of an asynchronous
//! function [`Batch::calls`]. For services of HTTP there is [`Batch::http`], which collects bodies
//! and is fair between hosts, and for those of pipelines [`Batch::through`], which asks them who
//! would have to wait.
//!
//! # Endings
//!
//! | ending | gives |
//! |---|---|
//! | [`in_order`](Batch::in_order) | a stream of results, in the order of their inputs |
//! | [`as_completed`](Batch::as_completed) | a stream of results, as they come |
//! | [`first_success`](Batch::first_success) | the first that succeeds; the rest is dropped |
//! | [`all_or_nothing`](Batch::all_or_nothing) | all answers, or the first failure; the rest is dropped |
//! | [`keep_everything`](Batch::keep_everything) | all results, good and bad |
//!
//! # What is held
//!
//! What runs, what was [looked ahead](Batch::look_ahead), and in input order what the
//! [window](Batch::window) reaches; never more, however many inputs there are.
//!
//! # Who polls
//!
//! Whoever polls the results polls the calls: nothing is spawned, and nothing goes on meanwhile.
//! So what takes long between two results belongs into [`map_async`](Batch::map_async), or the batch
//! into a task of its own.
//!
//! # What ends an input
//!
//! Its answer, or what is made of it; an error; the [deadline](Batch::deadline) of the batch; a
//! panic of the service, of what is made of its answer or of what says its host, which ends that
//! input and no other. A panic of the iterator or stream that inputs come from, or of the clone of
//! one that is kept, is the caller's: it ends the batch. Dropping the batch drops whatever runs. What
//! has its answer when the time is over keeps it.
//!
//! # What is shared
//!
//! Nothing but the service, and a [budget](Batch::budget) that was given to several.
//!
//! # What it is not for
//!
//! Retries: they belong into the service, and their budget with them. Calls that must survive the
//! process.

mod builder;
mod course;
mod ended;
mod endings;
mod inputs;
mod names;
mod pool;
mod progress;
mod readiness;
mod results;
mod steps;
mod under;
mod work;

#[cfg(feature = "client")]
pub(crate) use builder::BODY;
pub use builder::Batch;
pub use course::Course;
pub use ended::{Completed, Failed, ItemError, NoSuccess, Panicked};
pub use endings::Success;
pub use inputs::{ByIndex, FromIter, FromStream, Inputs, Kept, Naming, WithIds, stream};
pub use mainstay_policy::batch::Until;
pub use progress::{Counts, HostCounts, Progress};
pub use readiness::{Blind, FairBy, Readiness};
pub use results::{AsCompleted, InOrder};
pub use steps::{
    Blocking, CollectBody, CollectBodyFuture, ErrorForStatus, Map, MapAsync, MapAsyncFuture,
    MapBlocking, Step,
};
pub use work::{Call, CallFuture, Calls, MayBeKept, Streamed, Then, ThenFuture, Work};

#[cfg(test)]
mod tests;
