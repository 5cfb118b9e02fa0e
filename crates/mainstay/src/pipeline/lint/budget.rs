//! Budgets that are missing, or pay for less than is asked of them.

use mainstay_policy::budget::RetryBudget;
use mainstay_policy::hedge::{Hedge, When};
use mainstay_policy::retry::Retry;

use super::notes::Notes;
use super::time::retries;
use crate::pipeline::PipelineSpec;

/// An attempt that fewer calls come to than one in so many might as well not be.
const SELDOM: f64 = 10_000.0;

/// Nothing bounds the load of an outage.
pub(super) fn none(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    if spec.budget.is_some() {
        return;
    }
    let attempts = retries(spec).map_or(1, |retry| u64::from(retry.max_attempts));
    let each = spec.hedge.map_or(1, |hedge| u64::from(hedge.extra_attempts) + 1);
    let who = match (retries(spec), spec.hedge) {
        (None, None) => return,
        (Some(_), None) => format!("`retry.max_attempts` is {attempts}"),
        (None, Some(_)) => format!("`hedge.extra_attempts` is {}", each - 1),
        (Some(_), Some(_)) => {
            format!("`retry.max_attempts` is {attempts} and `hedge.extra_attempts` {}", each - 1)
        }
    };
    let standard = RetryBudget::new();
    notes.warning(
        "budget",
        format!("off, and {who}: a server that is down gets {} times its load", attempts * each),
        format!(
            "set `budget`; with a ratio of {} that is {} times, and {} attempts in reserve",
            standard.ratio,
            1.0 + standard.ratio,
            standard.reserve
        ),
    );
}

/// What the budget pays for is less than what is asked of it while all is still well.
pub(super) fn too_small(spec: &PipelineSpec, notes: &mut Notes<'_>) {
    let Some(budget) = spec.budget.filter(|budget| (0.0..=1.0).contains(&budget.ratio)) else {
        return;
    };
    if let Some(retry) = retries(spec) {
        for_retry(retry, budget, notes);
    }
    if let Some(hedge) = spec.hedge {
        for_hedge(&hedge, budget, notes);
    }
}

/// As long as a part *p* of the attempts fail, a call wants *p* + *p*² + … extra attempts, which is
/// at most *p* ⁄ (1 − *p*); so the budget lasts up to *p* = ratio ⁄ (1 + ratio), and there a part
/// *p*ⁿ⁻¹ of the calls comes to its *n*-th attempt. Where more fail it is empty, and hardly any call
/// has even a second.
fn for_retry(retry: &Retry, budget: RetryBudget, notes: &mut Notes<'_>) {
    let RetryBudget { ratio, reserve, .. } = budget;
    let n = retry.max_attempts;
    let lasts = ratio / (1.0 + ratio);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 0; a cast saturates"
    )]
    let useful = 1 + (-SELDOM.ln() / lasts.ln()).floor() as u32; // ln(0) is -inf: 0 more
    if n <= useful {
        return;
    }
    let what = match useful {
        1 => format!(
            "{ratio}, so that once `budget.reserve` ({reserve}) is spent hardly any call has a second \
             of its {n} attempts (`retry.max_attempts`)"
        ),
        _ => format!(
            "{ratio}, which in an outage pays for {} attempts of each call; while it lasts, fewer \
             than one call in {SELDOM} makes more than {useful} of its {n} attempts \
             (`retry.max_attempts`)",
            1.0 + ratio
        ),
    };
    let needed = SELDOM.powf(-1.0 / f64::from(n - 1));
    let needed = (100.0 * needed / (1.0 - needed)).ceil() / 100.0;
    let raise = match needed <= 1.0 {
        true => format!("raise `budget.ratio` to {needed}"),
        false => String::new(),
    };
    let lower = match useful {
        1 => String::new(),
        _ => format!("lower `retry.max_attempts` to {useful}"),
    };
    let or = if raise.is_empty() || lower.is_empty() { "" } else { ", or " };
    notes.warning("budget.ratio", what, format!("{lower}{or}{raise}"));
}

/// A percentile says which part of the calls wants a hedge when all is well.
fn for_hedge(hedge: &Hedge, budget: RetryBudget, notes: &mut Notes<'_>) {
    let When::Observed(observed) = hedge.when else { return };
    let (percentile, ratio) = (observed.percentile, budget.ratio);
    let wanted = (1e6 * (100.0 - percentile) / 100.0).round() / 1e6;
    if wanted > ratio {
        notes.warning(
            "budget.ratio",
            format!(
                "{ratio}, but a part {wanted} of all calls takes longer than `hedge.percentile` \
                 ({percentile}) and wants a hedge: most of them are not sent"
            ),
            format!(
                "raise `budget.ratio` above {wanted}, or `hedge.percentile` to {}",
                100.0 - 50.0 * ratio
            ),
        );
    }
}
