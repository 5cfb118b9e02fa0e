//! The quota headers that services made up, and those of the older IETF drafts, as a table.

use ::http::HeaderMap;

use super::kinds::Kinds;
use super::number::{self, Decimal};
use super::quota::{Quota, Scope, Unit};
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
    /// Whether the answer says otherwise that nothing is left.
    said_spent: fn(&HeaderMap) -> bool,
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
    Family {
        kind,
        left,
        limit: Some(limit),
        reset,
        unit,
        scope: |_| Scope::Unsaid,
        said_spent: |_| false,
    }
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
        said_spent: says_whose_limit,
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
        said_spent: |_| false,
    },
];

/// Adds the quota of each family that is there. Of several lines the strictest counts.
pub(super) fn read(
    headers: &HeaderMap,
    kinds: Kinds,
    received: &Received<'_>,
    quotas: &mut Vec<Quota>,
) {
    for family in FAMILIES.iter().filter(|family| kinds.include(family.kind)) {
        if let Some((left, limit)) = family.counts(headers) {
            let reset = family.reset.iter().find_map(|name| {
                values(headers, name).filter_map(|value| reset::parse(value, received)).max()
            });
            let scope = (family.scope)(headers);
            quotas.push(Quota { limit, reset, scope, ..Quota::new(left, family.unit) });
        }
    }
}

impl Family {
    /// What is left, and of how much.
    fn counts(&self, headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
        match self.left {
            Left::Remaining(name) => {
                let left = values(headers, name).filter_map(whole).min();
                let left = left.or_else(|| (self.said_spent)(headers).then_some(0))?;
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

/// Some count in fractions; what is left of one is nothing to go on.
fn whole(text: &[u8]) -> Option<u64> {
    Decimal::parse(text).map(|number| number.whole)
}

fn used_of(text: &[u8]) -> Option<(u64, u64)> {
    let (used, rest) = number::integer(text)?;
    let limit = count(rest.strip_prefix(b"/")?)?;
    Some((limit.saturating_sub(used), limit))
}

/// Discord says whom a limit is for and, like GitHub, under which name it counts. The name is the
/// same on every answer, and whom it is for only on those that refuse; so the name goes first.
fn x_ratelimit_scope(headers: &HeaderMap) -> Scope {
    let whom = text(headers, "x-ratelimit-scope");
    if text(headers, "x-ratelimit-global") == Some("true") || whom == Some("global") {
        return Scope::Global;
    }
    let name =
        text(headers, "x-ratelimit-resource").or_else(|| text(headers, "x-ratelimit-bucket"));
    match (name, whom) {
        (Some(name), _) if !name.is_empty() => Scope::Named(name.into()),
        (_, Some("user")) => Scope::User,
        (_, Some("shared")) => Scope::Shared,
        _ => Scope::Unsaid,
    }
}

/// Only an answer that refuses says whose limit it is, and a global one says no more.
fn says_whose_limit(headers: &HeaderMap) -> bool {
    text(headers, "x-ratelimit-global") == Some("true")
        || matches!(text(headers, "x-ratelimit-scope"), Some("global" | "user" | "shared"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

#[cfg(test)]
mod tests;
