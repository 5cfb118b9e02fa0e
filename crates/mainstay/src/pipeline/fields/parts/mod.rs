//! The table: every part of a pipeline and its settings.

mod again;
mod answer;
mod breaker;
mod guards;
mod host;
mod hosts;
mod pipeline;
mod rate_limit;
mod rules;
mod slots;
