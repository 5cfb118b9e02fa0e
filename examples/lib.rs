//! One file per question that a user asks.
//!
//! | run | to see |
//! |---|---|
//! | `cargo run --example how_long_between_attempts` | the waits of each backoff, side by side |
//! | `cargo run --example what_does_an_outage_cost` | how many requests a dead server gets, with and without a budget |
//! | `cargo run --example what_does_a_breaker_do` | a breaker through an outage, second by second |
//! | `cargo run --example how_many_may_start` | a smooth limit, one with a burst and a strict one, side by side |
//! | `cargo run --example what_may_be_repeated` | which requests are sent again, after which ends |
//! | `cargo run --release --example what_does_a_server_ask` | what the fields of well-known services say, and what reading them costs |
//! | `cargo run --example why_did_it_take_so_long` | the reports of calls that waited, failed and were refused |
//! | `cargo run --example how_do_i_test_my_code` | a test with a script in no time, and one against a real server that misbehaves |
//! | `cargo run --example does_it_fit_my_client` | the same layers over hyper-util's client and reqwest's, and before a server of hyper's |
//! | `cargo run --release --example how_do_i_make_many_calls` | two hundred calls at once, each ending, and three hosts of which two are ill |
//! | `cargo run --example how_do_i_call_an_api` | a client before a server that falters: attempts, keys, errors |
//! | `cargo run --example how_do_i_download_a_big_file` | a download over a line that breaks again and again |
