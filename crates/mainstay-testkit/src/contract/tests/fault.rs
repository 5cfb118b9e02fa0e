//! The ways in which the toy can be broken.

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    None,
    /// Calls a clone that nobody has made ready, and keeps the one that is.
    BorrowsReadiness,
    /// Calls after a wait without asking whether the service is ready.
    CallsUnreadyAfterTheWait,
    /// Is ready although the inner service is not.
    IsAlwaysReady,
    /// Gives an error of its own for the inner one's.
    ChangesTheError,
    /// Pends for ever where the inner service is dead.
    SwallowsTheError,
    /// Asks for readiness with a waker that is nobody's.
    LetsNobodyKnowThatItIsReady,
    SpinsUntilItIsReady,
    /// Refuses, or waits, in `poll_ready`.
    RefusesInReady,
    /// Is not ready while all slots are taken.
    WaitsInReady,
    /// Takes a slot when it is asked whether it is ready.
    TakesInReady,
    /// Takes a slot when the inner service is dead.
    TakesWhenDead,
    LeaksWhenDroppedReady,
    /// Takes a slot when it is ready.
    TakesWhenReady,
    /// Waits with the service that was made ready.
    WaitsWithItsReadiness,
    /// Refuses and keeps the service that was made ready.
    RefusesWithItsReadiness,
    LeaksWhenDropped,
    LeaksWhenDroppedInTheQueue,
    /// Is given a slot when it is woken, and loses it if it is not polled again.
    LeaksWhenDroppedAfterItsWake,
    LeaksWhenRefused,
    /// Keeps its slot where a panic passes until the future is dropped.
    KeepsWhatPanicked,
    /// Gives its slot back where a panic passes, and again when the future is dropped.
    GivesBackTwiceAfterAPanic,
    /// Refuses everything after a panic.
    IsPoisoned,
    /// Makes an answer of a panic.
    SwallowsPanics,
    /// Makes a refusal of a panic in a call.
    RefusesAtPanics,
    KeepsTheFirstWaker,
    KeepsTheFirstWakerOfTheSecond,
    /// The timer hides it.
    KeepsTheFirstWakerAndHasATimer,
    /// Refuses who was not the first in the queue.
    RefusesTheSecond,
    /// A slot that comes back wakes one, and all others are forgotten.
    ForgetsTheSecond,
    /// A slot that comes back wakes one who waits; if that one is gone by then, nobody.
    WakesOneWhoMayBeGone,
    /// Polls the call with the waker of its own first poll.
    RunsWithTheFirstWaker,
    SpinsWhileItWaits,
    SpinsWhileItRuns,
    PollsTheCallTooOften,
    /// Each service has slots of its own.
    SharesNothing,
    /// Does not wait although it says so.
    LetsAllIn,
    /// Lets the call beneath go on by itself.
    Detaches,
}
