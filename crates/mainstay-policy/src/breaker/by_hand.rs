//! What somebody does to a breaker who knows better.

use super::Breaker;
use super::answers::{BreakerState, Transition};
use super::state::{Machine, State};
use crate::sync::update;

impl Breaker {
    /// Refuses every call until it is released.
    pub fn isolate(&self) -> Option<Transition> {
        self.by_hand(|machine| match machine.state {
            State::Isolated => None,
            State::Closed { .. } | State::Open { .. } | State::HalfOpen { .. } => {
                let isolated = Machine { state: State::Isolated, ..machine };
                Some((isolated, Some(Transition::Isolated)))
            }
        })
    }

    /// Ends an isolation, with an empty window. Does nothing to a breaker that is not isolated.
    pub fn release(&self) -> Option<Transition> {
        self.by_hand(|machine| match machine.state {
            State::Isolated => {
                let closed = Machine::closed(machine.next_generation());
                Some((closed, Some(Transition::Closed)))
            }
            State::Closed { .. } | State::Open { .. } | State::HalfOpen { .. } => None,
        })
    }

    /// Closes it, whatever it was doing, with an empty window.
    pub fn reset(&self) -> Option<Transition> {
        self.by_hand(|machine| {
            let closed = Machine::closed(machine.next_generation());
            match machine.state {
                State::Closed { .. } => Some((closed, None)),
                State::Open { .. } | State::HalfOpen { .. } | State::Isolated => {
                    Some((closed, Some(Transition::Closed)))
                }
            }
        })
    }

    /// A change by hand; one that closes it forgets the window.
    fn by_hand(
        &self,
        step: impl Fn(Machine) -> Option<(Machine, Option<Transition>)>,
    ) -> Option<Transition> {
        let (closed, transition) =
            update(&self.shared.machine, |word| match step(Machine::unpack(word)) {
                Some((machine, transition)) => {
                    let closed = machine.kind() == BreakerState::Closed;
                    (Some(machine.pack()), (closed, transition))
                }
                None => (None, (false, None)),
            });
        if closed {
            self.forget();
        }
        transition
    }
}
