//! The quota headers that services made up, and those of the older IETF drafts, as a table.

use ::http::HeaderMap;

use super::kinds::Kinds;
use super::number;
use super::quota::{Quota, Scope, Tightest, Unit};
use super::received::Received;
use super::reset;

/// The headers that tell of one quota.
struct Family {
    kind: Kinds,
    left: Left,
    limit: Option<&'static str>,
    /// The first that is valid counts.
    reset: &'static [&'static str],
    unit: Unit,
    scope: fn(&HeaderMap) -> Scope,
}

/// The header without which there is no quota.
enum Left {
    /// How many are left.
    Remaining(&'static str),
    /// How many of how many are used: `32/40`.
    UsedOf(&'static str),
}

const fn family(
    kind: Kinds,
    [remaining, limit]: [&'static str; 2],
    reset: &'static [&'static str],
    unit: Unit,
) -> Family {
    let left = Left::Remaining(remaining);
    Family { kind, left, limit: Some(limit), reset, unit, scope: |_| Scope::Unsaid }
}

static FAMILIES: [Family; 10] = [
    family(
        Kinds::RATELIMIT,
        ["ratelimit-remaining", "ratelimit-limit"],
        &["ratelimit-reset", "ratelimit-resettime"],
        Unit::Requests,
    ),
    Family {
        scope: x_ratelimit_scope,
        ..family(
            Kinds::X_RATELIMIT,
            ["x-ratelimit-remaining", "x-ratelimit-limit"],
            &["x-ratelimit-reset-after", "x-ratelimit-reset"],
            Unit::Requests,
        )
    },
    family(
        Kinds::X_RATELIMIT,
        ["x-ratelimit-remaining-requests", "x-ratelimit-limit-requests"],
        &["x-ratelimit-reset-requests"],
        Unit::Requests,
    ),
    family(
        Kinds::X_RATELIMIT,
        ["x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens"],
        &["x-ratelimit-reset-tokens"],
        Unit::Tokens,
    ),
    family(
        Kinds::X_RATE_LIMIT,
        ["x-rate-limit-remaining", "x-rate-limit-limit"],
        &["x-rate-limit-reset"],
        Unit::Requests,
    ),
    family(
        Kinds::ANTHROPIC,
        ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-limit"],
        &["anthropic-ratelimit-requests-reset"],
        Unit::Requests,
    ),
    family(
        Kinds::ANTHROPIC,
        ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-limit"],
        &["anthropic-ratelimit-tokens-reset"],
        Unit::Tokens,
    ),
    family(
        Kinds::ANTHROPIC,
        ["anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-limit"],
        &["anthropic-ratelimit-input-tokens-reset"],
        Unit::Tokens,
    ),
    family(
        Kinds::ANTHROPIC,
        ["anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-limit"],
        &["anthropic-ratelimit-output-tokens-reset"],
        Unit::Tokens,
    ),
    Family {
        kind: Kinds::SHOPIFY,
        left: Left::UsedOf("x-shopify-shop-api-call-limit"),
        limit: None,
        reset: &[],
        unit: Unit::Requests,
        scope: |_| Scope::Unsaid,
    },
];

/// Offers the quota of each family that is there. Of several lines the strictest counts.
pub(super) fn read(
    headers: &HeaderMap,
    kinds: Kinds,
    received: &Received<'_>,
    tightest: &mut Tightest,
) {
    for family in FAMILIES.iter().filter(|family| kinds.include(family.kind)) {
        if let Some((left, limit)) = family.counts(headers) {
            let reset = family.reset.iter().find_map(|name| {
                values(headers, name).filter_map(|value| reset::parse(value, received)).max()
            });
            let scope = (family.scope)(headers);
            tightest.offer(Quota { limit, reset, scope, ..Quota::new(left, family.unit) });
        }
    }
}

impl Family {
    /// What is left, and of how much.
    fn counts(&self, headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
        match self.left {
            Left::Remaining(name) => {
                let left = values(headers, name).filter_map(count).min()?;
                let limit = |name| values(headers, name).filter_map(first_count).min();
                Some((left, self.limit.and_then(limit)))
            }
            Left::UsedOf(name) => {
                let counts = values(headers, name).filter_map(used_of);
                counts.min().map(|(left, limit)| (left, Some(limit)))
            }
        }
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii())
}

fn count(text: &[u8]) -> Option<u64> {
    number::integer(text).and_then(|(count, rest)| rest.is_empty().then_some(count))
}

/// `100`, and `100, 100;w=10, 1000;w=3600` with the policies behind it.
fn first_count(text: &[u8]) -> Option<u64> {
    let (count, rest) = number::integer(text)?;
    matches!(rest.trim_ascii_start(), [] | [b',' | b';', ..]).then_some(count)
}

fn used_of(text: &[u8]) -> Option<(u64, u64)> {
    let (used, rest) = number::integer(text)?;
    let limit = count(rest.strip_prefix(b"/")?)?;
    Some((limit.saturating_sub(used), limit))
}

/// Discord says whom a limit is for and, like GitHub, under which name it counts.
fn x_ratelimit_scope(headers: &HeaderMap) -> Scope {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match (text("x-ratelimit-global"), text("x-ratelimit-scope")) {
        (Some("true"), _) | (_, Some("global")) => return Scope::Global,
        (_, Some("user")) => return Scope::User,
        (_, Some("shared")) => return Scope::Shared,
        _ => {}
    }
    let name = text("x-ratelimit-resource").or_else(|| text("x-ratelimit-bucket"));
    name.filter(|name| !name.is_empty()).map_or(Scope::Unsaid, |name| Scope::Named(name.into()))
}

#[cfg(test)]
mod tests;
