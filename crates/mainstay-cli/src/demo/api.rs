//! The API that the demo calls: five hosts on the loopback device, each with a fault of its own.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use mainstay_testkit::server::{Exchange, Faulty, Limit, Reply};

/// How long an answer takes.
const USUAL: Duration = Duration::from_millis(200);
/// How long it takes of the slow host.
const SLOW: Duration = Duration::from_millis(1_200);

/// The hosts, as they stand at the beginning of a way to call them.
pub(crate) struct Api {
    /// Those that are up.
    hosts: Vec<Faulty>,
    /// Where nobody listens.
    down: String,
}

impl Api {
    /// What is said of it above the table.
    pub(crate) const FAULTS: &str = "\
200 calls of five hosts on this machine. Three hosts answer in 200 ms, take 30 requests a second, and \
say 429 with `Retry-After: 1` to the rest; of what they take, 5 % ends with 503 and 1 % with a reset. \
One host is slow and takes 1.2 s. One is down.";

    pub(crate) fn start() -> io::Result<Self> {
        let well = (0..3).map(|seed| Faulty::builder().seed(seed).start(limited()));
        let slow = Faulty::start(|_| Reply::ok("at last").after(SLOW));
        let hosts = well.chain([slow]).collect::<io::Result<_>>()?;
        // A port that was free a moment ago, and nobody is told of.
        let down = format!("http://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?);
        Ok(Self { hosts, down })
    }

    /// The URL of a call: of twenty, six go to each of three hosts, and one to each of the others.
    pub(crate) fn url(&self, call: usize) -> String {
        let path = format!("/items/{call}");
        match call % 20 {
            18 => self.hosts[3].url(&path),
            19 => format!("{}{path}", self.down),
            well => self.hosts[well % 3].url(&path),
        }
    }

    /// Whether a call goes to the host that is down.
    pub(crate) const fn is_down(call: usize) -> bool {
        call % 20 == 19
    }

    /// What the hosts have seen, each in its order.
    pub(crate) fn seen(&self) -> Vec<Vec<Exchange>> {
        self.hosts.iter().map(Faulty::log).collect()
    }
}

fn limited() -> impl FnMut(&mainstay_testkit::server::Received) -> Reply + Send + 'static {
    let limit = Limit::per(30, Duration::from_secs(1));
    move |request| {
        let mut chance = request.chance();
        if let Some(refuses) = limit.refuses(request) {
            return refuses;
        }
        // Nothing fails for ever.
        let luck = if request.nth_of_path() < 2 { chance.below(100) } else { 99 };
        match luck {
            0 => Reply::resets().after(USUAL),
            1..=5 => Reply::status(503).after(USUAL),
            _ => Reply::ok("{\"well\":true}").after(USUAL),
        }
    }
}
