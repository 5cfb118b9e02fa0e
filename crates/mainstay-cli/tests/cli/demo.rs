//! The demo, as somebody sees it who has just heard of us.

use crate::begun::Begun;
use crate::mainstay;

#[test]
fn it_shows_three_ways_and_the_last_one_does_what_it_is_for() {
    let mut command = mainstay(["demo"]);
    // A proxy of this user leads nowhere near the hosts of the demo.
    command.env("http_proxy", "http://127.0.0.1:1");
    let ran = Begun::of(&mut command).ended();
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.lines().all(|line| line.chars().count() < 80), "{}", ran.out);
    let (_, table) = ran.out.split_once("standard pipeline\n").unwrap();
    let row = |name: &str| -> Vec<String> {
        let line = table.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().rev().take(3).map(str::to_owned).collect()
    };
    let [pipeline, all_at_once, _] = row("succeeded").try_into().unwrap();
    assert_eq!(pipeline, "190", "all but those of the host that is down");
    assert!(all_at_once.parse::<u32>().unwrap() < 150, "{}", ran.out);
    let all = |name: &str| row(name).iter().map(|cell| cell.parse::<u32>().unwrap()).collect();
    let [pipeline, all_at_once, _]: [u32; 3] = Vec::try_into(all("requests")).unwrap();
    assert!(ran.out.contains(&format!("It sent {pipeline} requests for 200 calls")), "{}", ran.out);
    assert!(all_at_once > pipeline, "{}", ran.out);
    let [pipeline, all_at_once, _]: [u32; 3] = Vec::try_into(all("before a 429")).unwrap();
    assert!(pipeline == 0 && all_at_once > 0, "only who waits is never too early: {}", ran.out);
    assert_eq!(ran.out.matches('✓').count(), 4, "{}", ran.out);
    assert_eq!(ran.err, "", "bars are for terminals");
}
