//! `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-10, and `RateLimit`
//! as version 07 had it. What is malformed anywhere is ignored everywhere, as structured fields
//! demand.

mod visitors;

use std::time::Duration;

use ::http::HeaderMap;

use super::Hints;
use super::quota::{Quota, Scope, Unit};
use visitors::{Malformed, Member, Version07};

/// A field with more members is ignored.
const MOST_MEMBERS: usize = 64;
/// A field with more bytes, all its lines together, is ignored.
const MOST_BYTES: usize = 16 * 1024;

/// The quotas of a `RateLimit` field, with what their policies add.
pub(super) fn read(headers: &HeaderMap) -> Vec<Quota> {
    let Some(field) = combined(headers, "ratelimit") else { return Vec::new() };
    let Ok(states) = read_list(&field, State::of) else {
        return Version07::parse(&field).map(|field| field.quota()).into_iter().collect();
    };
    let field = combined(headers, "ratelimit-policy").unwrap_or_default();
    let policies = read_list(&field, Policy::of).unwrap_or_default();
    states.iter().map(|state| state.quota(&policies)).collect()
}

/// All lines of a field as one; none if there are none, or if they are too long.
fn combined(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let lines = || headers.get_all(name).iter().map(::http::HeaderValue::as_bytes);
    let length: usize = lines().map(|line| line.len() + 2).sum();
    (1..=MOST_BYTES + 2)
        .contains(&length)
        .then(|| lines().collect::<Vec<_>>().join(&b", "[..]).trim_ascii().to_vec())
}

fn read_list<'a, T>(
    field: &'a [u8],
    of: impl Fn(Member<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    Member::list(field)?.into_iter().map(of).collect()
}

/// A member of `RateLimit`: how it stands.
struct State<'a> {
    member: Member<'a>,
    left: u64,
    reset: Option<u64>,
    partition: Option<Vec<u8>>,
}

impl<'a> State<'a> {
    fn of(mut member: Member<'a>) -> Result<Self, Malformed> {
        let (left, reset) = (member.r.ok_or(Malformed)??, member.t.transpose()?);
        let partition = member.pk.take().transpose()?;
        Ok(Self { member, left, reset, partition })
    }

    fn quota(&self, policies: &[Policy<'_>]) -> Quota {
        let of_ours = |policy: &&Policy<'_>| {
            policy.member.name == self.member.name && policy.partition == self.partition
        };
        // Of several of one name, none may turn a quota into one of concurrent requests.
        let policies = || policies.iter().filter(of_ours);
        let policy = policies().find(|policy| policy.unit != Unit::InFlight);
        let policy = policy.or_else(|| policies().next());
        // Within a window something is renewed.
        let reset = self.reset.or_else(|| policy?.window);
        Quota {
            limit: policy.map(|policy| policy.limit),
            reset: reset.map(seconds),
            scope: Scope::Named(self.member.name.as_str().into()),
            ..Quota::new(self.left, policy.map_or(Unit::Requests, |policy| policy.unit))
        }
    }
}

/// A member of `RateLimit-Policy`: what it may be.
struct Policy<'a> {
    member: Member<'a>,
    limit: u64,
    window: Option<u64>,
    unit: Unit,
    partition: Option<Vec<u8>>,
}

impl<'a> Policy<'a> {
    fn of(mut member: Member<'a>) -> Result<Self, Malformed> {
        let (limit, window) = (member.q.ok_or(Malformed)??, member.w.transpose()?);
        let unit = member.qu.transpose()?;
        let partition = member.pk.take().transpose()?;
        if window == Some(0) {
            return Err(Malformed);
        }
        Ok(Self { member, limit, window, unit: unit.unwrap_or(Unit::Requests), partition })
    }
}

impl Version07 {
    fn quota(&self) -> Quota {
        let reset = self.reset.map(seconds);
        Quota { limit: self.limit, reset, ..Quota::new(self.remaining, Unit::Requests) }
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count).min(Hints::LONGEST)
}

#[cfg(test)]
mod tests;
