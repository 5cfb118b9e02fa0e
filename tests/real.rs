//! Servers that nobody here wrote: nginx, Python's httpbin, axum with TLS. Real sockets, real time.
//!
//! ```text
//! tests/real/run             installs what is missing, and runs all of it
//! tests/real/run limit_req   those with this in their name
//! ```
//!
//! nginx and httpbin are started here, on ports that are free, and stopped by their ids. Where
//! nobody has said where they are their suites are left out, and that is said: so this has a `main`
//! of its own.
//! The tests run one after the other, since many of them measure times.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it is real time that is measured")]
#![expect(clippy::print_stdout, reason = "it says what is left out")]

#[path = "real/calls.rs"]
mod calls;
#[path = "real/httpbin.rs"]
mod httpbin;
#[path = "real/limited.rs"]
mod limited;
#[path = "real/nginx.rs"]
mod nginx;
#[path = "real/outages.rs"]
mod outages;
#[path = "real/process.rs"]
mod process;
#[path = "real/silent.rs"]
mod silent;
#[path = "real/tls.rs"]
mod tls;

use std::env;
use std::ffi::OsString;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest that any of them takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// Tests that need the same.
struct Suite {
    name: &'static str,
    /// The variable that must be set for them, which says where what they need is.
    needs: Option<&'static str>,
    tests: &'static [Test],
}

struct Test {
    name: &'static str,
    run: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// Tests by the names of their functions.
macro_rules! tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        &[$(crate::Test { name: stringify!($test), run: || Box::pin(crate::$module::$test()) }),*]
    };
}

const SUITES: &[Suite] = &[
    Suite {
        name: "silent",
        // It needs nothing, but for a minute.
        needs: Some("MAINSTAY_REAL"),
        tests: tests![
            silent::five_thousand_calls_end_at_their_timeout_and_leave_nothing,
            silent::so_do_those_of_our_client,
        ],
    },
    Suite {
        name: "tls",
        needs: None,
        tests: tests![
            tls::calls_are_repeated_over_tls_as_over_anything_else,
            tls::a_certificate_that_nobody_trusts_is_no_connection,
            tls::a_server_that_says_good_bye_loses_no_call,
        ],
    },
    Suite {
        name: "nginx",
        needs: Some(nginx::PROGRAM),
        tests: tests![
            limited::a_batch_learns_the_rate_of_limit_req,
            limited::a_batch_gets_through_a_limit_that_says_503,
            limited::limit_conn_is_kept_within_by_as_many_slots,
            outages::ten_seconds_without_a_server_lose_no_get_and_repeat_no_post,
            outages::our_client_gets_through_the_same,
            outages::a_reload_loses_no_get_and_repeats_no_post,
            outages::a_504_for_a_slow_upstream_is_tried_again_and_not_for_a_post,
        ],
    },
    Suite {
        name: "httpbin",
        needs: Some(httpbin::PROGRAM),
        tests: tests![
            httpbin::statuses_are_what_they_are_and_those_that_pass_are_tried_again,
            httpbin::a_batch_over_what_fails_every_other_time_is_well_in_the_end,
            httpbin::what_is_slow_ends_at_its_timeout,
            httpbin::bodies_that_drip_are_read_to_their_end_or_end_at_their_timeout,
            httpbin::streams_come_line_by_line,
            httpbin::redirects_are_followed_so_far_as_is_allowed,
        ],
    },
];

/// Where the program of a suite is.
fn program(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|path| !path.is_empty())
}

fn main() -> ExitCode {
    let wanted: Vec<_> = env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    if env::args().any(|it| it == "--list") {
        for test in SUITES.iter().flat_map(|suite| suite.tests) {
            println!("{}: test", test.name);
        }
        return ExitCode::SUCCESS;
    }
    let is_wanted =
        |test: &&Test| wanted.is_empty() || wanted.iter().any(|it| test.name.contains(it));
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for suite in SUITES {
        let tests: Vec<_> = suite.tests.iter().filter(is_wanted).collect();
        if let Some(needs) = suite.needs.filter(|needs| program(needs).is_none()) {
            if !tests.is_empty() {
                println!(
                    "LEFT OUT: {} ({} tests), since {needs} is not set",
                    suite.name,
                    tests.len()
                );
            }
            left_out += tests.len();
            continue;
        }
        for test in tests {
            let began = Instant::now();
            let is_well = std::thread::spawn(move || runs(test)).join().is_ok();
            let result = if is_well { "ok" } else { "FAILED" };
            println!(
                "test {}::{} ... {result} ({:.1} s)",
                suite.name,
                test.name,
                began.elapsed().as_secs_f64()
            );
            if is_well { passed += 1 } else { failed += 1 }
        }
    }
    if left_out > 0 {
        println!("to run those that are left out: tests/real/run");
    }
    println!("{passed} passed, {failed} failed, {left_out} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn runs(test: &Test) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(mainstay_testkit::finishes_within(LONG, (test.run)()));
}
