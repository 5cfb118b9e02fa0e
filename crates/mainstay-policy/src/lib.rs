#![doc = include_str!("../README.md")]

pub mod adaptive;
pub mod backoff;
pub mod batch;
pub mod breaker;
pub mod budget;
pub mod chaos;
pub mod concurrency;
pub mod cooldown;
pub mod deadline;
pub mod fallback;
pub mod hedge;
pub mod rate_limit;
pub mod retry;
pub mod stall;
pub mod throttle;
pub mod turn;

mod draw;
mod live;
mod moment;
mod outcome;
mod settings;
mod stamp;
mod sync;
mod window;

pub use draw::Draw;
pub use moment::Moment;
pub use outcome::Outcome;
pub use settings::{Problem, SettingsError};

#[cfg(mainstay_loom)]
#[doc(hidden)]
pub use sync::models::look_by_exchange;
