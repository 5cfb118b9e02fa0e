/// Where inside its envelope a wait is drawn from.
///
/// Clients that failed together come back together unless chance spreads them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Jitter {
    /// The envelope itself. For tests, and where only one client calls.
    None,
    /// From nothing to the envelope: the widest spread, the least load on who recovers.
    Full,
    /// From half the envelope to all of it: never hardly any wait at all.
    Equal,
    /// From the base to three times the wait before, within the cap: grows by chance and does not
    /// count attempts.
    Decorrelated,
}
