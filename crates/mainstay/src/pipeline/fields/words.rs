//! Settings that are one of a few words.

use mainstay_policy::backoff::Jitter;

use super::leaf::{Leaf, Mistake};
use super::read::nearest;
use super::shape::Shape;
use super::tree::Tree;
use super::value::{Value, quote};
use crate::http::{ServerWord, When};
use crate::pipeline::GuardKind;

/// One of a few words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// All of them; where two mean the same, the first is how it is shown.
    const WORDS: &'static [(&'static str, Self)];
}

impl<W: Word> Leaf for W {
    fn can_be() -> Shape {
        Shape::Words(W::WORDS.iter().map(|(word, _)| *word).collect())
    }

    fn value(&self) -> Value {
        let word = W::WORDS.iter().find(|(_, meant)| meant == self);
        Value::word(word.map_or("", |(word, _)| word))
    }

    fn from_tree(tree: &Tree) -> Result<Self, Mistake> {
        let Tree::Text(text) = tree else { return Ok(W::WORDS[0].1) };
        let found = W::WORDS.iter().find(|(word, _)| word == text);
        found.map(|(_, meant)| *meant).ok_or_else(|| {
            let near = nearest(text, W::WORDS.iter().map(|(word, _)| *word));
            let help = match near {
                Some(word) => format!("did you mean \"{word}\"? It is {}", W::can_be()),
                None => format!("it is {}", W::can_be()),
            };
            (format!("{} is none of the words that can stand here", quote(text)), Some(help))
        })
    }
}

impl Word for Jitter {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("full", Self::Full),
        ("equal", Self::Equal),
        ("decorrelated", Self::Decorrelated),
    ];
}

impl Word for When {
    const WORDS: &'static [(&'static str, Self)] =
        &[("always", Self::Always), ("if_idempotent", Self::IfIdempotent), ("never", Self::Never)];
}

impl Word for ServerWord {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("x_should_retry", Self::XShouldRetry),
        ("stripe_should_retry", Self::StripeShouldRetry),
        ("grpc_pushback", Self::GrpcPushback),
        ("envoy_rate_limited", Self::EnvoyRateLimited),
    ];
}

/// Rate limit and cool-down share a line, so that one word means both.
impl Word for GuardKind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("concurrency", Self::Concurrency),
        ("adaptive", Self::Adaptive),
        ("rate_limit", Self::Turns),
        ("cool_down", Self::Turns),
        ("throttle", Self::Throttle),
        ("circuit_breaker", Self::CircuitBreaker),
    ];
}
