use super::*;
use crate::http::hints::tests::{NOW, headers};

const POLICY: &str = "ratelimit-policy";

fn quota(lines: &[(&'static str, &str)]) -> Option<Quota> {
    Hints::read_at(&headers(lines), NOW).quota().cloned()
}

fn named(name: &str, left: u64, reset: impl Into<Option<u64>>) -> Quota {
    let reset = reset.into().map(Duration::from_secs);
    Quota { reset, scope: Scope::Named(name.into()), ..Quota::new(left, Unit::Requests) }
}

#[test]
fn a_field_of_the_draft_is_read_with_its_policy() {
    let lines = [
        (POLICY, r#""burst";q=100;w=60,"daily";q=1000;w=86400"#),
        ("ratelimit", r#""daily";r=50;t=30"#),
    ];
    assert_eq!(quota(&lines), Some(Quota { limit: Some(1000), ..named("daily", 50, 30) }));
    assert_eq!(quota(&lines[1..]), Some(named("daily", 50, 30)));
    assert_eq!(quota(&lines[..1]), None);
    assert_eq!(
        quota(&[lines[0], ("ratelimit", r#""default";r=50;t=30"#)]),
        Some(named("default", 50, 30))
    );
}

#[test]
fn a_policy_says_what_is_counted() {
    let unit = |qu: &str| {
        let policy = format!(r#""p";q=65535{qu};w=10;pk=:sdfjLJUOUH==:"#);
        quota(&[("ratelimit", r#""p";r=5;pk=:sdfjLJUOUH==:"#), (POLICY, &policy)]).unwrap().unit
    };
    assert_eq!(unit(""), Unit::Requests);
    assert_eq!(unit(r#";qu="requests""#), Unit::Requests);
    assert_eq!(unit(r#";qu="request""#), Unit::Requests);
    assert_eq!(unit(r#";qu="content-bytes""#), Unit::Bytes);
    assert_eq!(unit(r#";qu="concurrent-requests""#), Unit::InFlight);
    assert_eq!(unit(r#";qu="fortnights""#), Unit::Other);
}

#[test]
fn the_window_stands_in_for_a_missing_reset() {
    let policy = (POLICY, r#""p";q=9;w=60"#);
    let limited = |reset| Some(Quota { limit: Some(9), ..named("p", 0, reset) });
    assert_eq!(quota(&[("ratelimit", r#""p";r=0"#), policy]), limited(60));
    assert_eq!(quota(&[("ratelimit", r#""p";r=0;t=0"#), policy]), limited(0));
    assert_eq!(quota(&[("ratelimit", r#""p";r=0"#)]), Some(named("p", 0, None)));
}

#[test]
fn the_lines_of_a_field_are_one_list() {
    let lines = [
        ("ratelimit", r#""a";r=9;t=1"#),
        ("ratelimit", r#""b";r=4;t=2, "c";r=5"#),
        (POLICY, r#""a";q=10"#),
        (POLICY, r#""b";q=20"#),
    ];
    assert_eq!(quota(&lines), Some(Quota { limit: Some(20), ..named("b", 4, 2) }));
    // One bad line spoils them all.
    assert_eq!(quota(&[lines[0], lines[1], ("ratelimit", "nonsense")]), None);
}

#[test]
fn blanks_comments_and_doubled_parameters_are_read_as_structured_fields_are() {
    for field in [
        r#"  "p"; r=5;  t=7  "#,
        r#""p";r=5;t=7;a;b=2.5;c="x";d=?0;e=tok;f=:YQ==:;g=@1;h=%"x""#,
        r#""p";q=-1;w=0;qu=5;r=5;t=7"#,
        r#""p";r=9;t=9;r=5;t=7"#,
        r#""p";r=-1;t="x";r=5;t=7"#,
        "\"x\";r=8\t ,\t\"p\";r=5;t=7",
    ] {
        assert_eq!(quota(&[("ratelimit", field)]), Some(named("p", 5, 7)), "{field}");
    }
    assert_eq!(quota(&[("ratelimit", r#""a\"\\b";r=1"#)]), Some(named(r#"a"\b"#, 1, None)));
}

#[test]
fn a_malformed_member_spoils_the_whole_field() {
    for bad in [
        r#""p""#,
        r#""p";t=5"#,
        r#""p";r"#,
        r#""p";r=-1"#,
        r#""p";r=1.0"#,
        r#""p";r="1""#,
        r#""p";r=5;r=-1"#,
        r#""p";r=1;t=-1"#,
        r#""p";r=1;t=1.5"#,
        r#""p";r=1;t"#,
        r#""p";r=1;pk="x""#,
        r#""p";r=1;R=1"#,
        r#""p";r =1"#,
        r#""p";r=1000000000000000"#,
        r#""p" r=1"#,
        "p;r=1;t=1",
        "5;r=1;t=1",
        r#"("p");r=1;t=1"#,
        r#""p;r=1"#,
        r#""p";r=1,"#,
        r#""p";r=1;;t=1"#,
        "\"\u{e4}\";r=1",
    ] {
        assert_eq!(quota(&[("ratelimit", bad)]), None, "{bad}");
        assert_eq!(quota(&[("ratelimit", &format!(r#""good";r=1, {bad}"#))]), None, "{bad}");
    }
    let mut bytes = headers(&[]);
    let latin = ::http::HeaderValue::from_bytes(b"\"p\";r=1;x=\xff").unwrap();
    bytes.insert("ratelimit", latin);
    assert!(Hints::read_at(&bytes, NOW).is_empty());
}

#[test]
fn a_malformed_policy_leaves_the_quota_without_one() {
    let state = ("ratelimit", r#""p";r=5"#);
    for bad in [
        r#""p""#,
        r#""p";w=60"#,
        r#""p";q=-1;w=60"#,
        r#""p";q=9;w=0"#,
        r#""p";q=9;w=-1"#,
        r#""p";q=9;w=60;qu=content-bytes"#,
        r#""p";q=9;w=60;pk=x"#,
        r#""p";q=9;w=60, 100;w=10"#,
        "100;w=10",
    ] {
        assert_eq!(quota(&[state, (POLICY, bad)]), Some(named("p", 5, None)), "{bad}");
    }
}

#[test]
fn version_07_was_a_dictionary() {
    let whole = Quota {
        limit: Some(100),
        reset: Some(Duration::from_secs(5)),
        ..Quota::new(50, Unit::Requests)
    };
    for field in [
        "limit=100, remaining=50, reset=5",
        "reset=5,remaining=50;x=1,limit=100,more=(1 2),other",
        "limit=1, limit=100, remaining=(1), remaining=50, reset=-1, reset=5",
    ] {
        assert_eq!(quota(&[("ratelimit", field), (POLICY, "100;w=5")]), Some(whole.clone()));
    }
    let lines = ["limit=100", "remaining=50, reset=5"].map(|line| ("ratelimit", line));
    assert_eq!(quota(&lines), Some(whole));
    assert_eq!(quota(&[("ratelimit", "remaining=0")]), Some(Quota::new(0, Unit::Requests)));
    for bad in [
        "limit=100, reset=5",
        "remaining",
        "remaining=-1",
        "remaining=1.5",
        "remaining=(1)",
        "limit=-1, remaining=50, reset=5",
        "limit=(100), remaining=50, reset=5",
        "limit=100, remaining=50, reset=soon",
        "limit=100, remaining=50, reset=5,",
        "Remaining=50",
    ] {
        assert_eq!(quota(&[("ratelimit", bad)]), None, "{bad}");
    }
}

#[test]
fn the_older_fields_count_only_where_the_current_one_says_nothing() {
    let older = [("ratelimit-remaining", "1"), ("ratelimit-reset", "3")];
    let with = |field| quota(&[older[0], older[1], ("ratelimit", field)]).map(|quota| quota.left);
    assert_eq!(with(r#""p";r=9"#), Some(9));
    assert_eq!(with("remaining=8"), Some(8));
    assert_eq!(with("nonsense"), Some(1));
    assert_eq!(with(""), Some(1));
}

#[test]
fn a_field_with_too_many_members_or_bytes_is_ignored() {
    let members = |count| vec![r#""p";r=1"#; count].join(",");
    assert!(quota(&[("ratelimit", &members(MOST_MEMBERS))]).is_some());
    assert!(quota(&[("ratelimit", &members(MOST_MEMBERS + 1))]).is_none());
    assert!(quota(&[("ratelimit", &members(10_000))]).is_none());
    let many = vec![("ratelimit", r#""p";r=1"#); MOST_MEMBERS + 1];
    assert!(quota(&many[1..]).is_some());
    assert!(quota(&many).is_none());

    let entries = |count| "remaining=1,".repeat(count - 1) + "remaining=1";
    assert!(quota(&[("ratelimit", &entries(MOST_MEMBERS))]).is_some());
    assert!(quota(&[("ratelimit", &entries(MOST_MEMBERS + 1))]).is_none());

    let padded = |bytes: usize| r#""p";r=1"#.to_owned() + &";x".repeat((bytes - 7) / 2) + "x";
    assert_eq!(padded(MOST_BYTES).len(), MOST_BYTES);
    assert!(quota(&[("ratelimit", &padded(MOST_BYTES))]).is_some());
    assert!(quota(&[("ratelimit", &padded(MOST_BYTES + 2))]).is_none());
    let (small, large) = ((POLICY, r#""p";q=9"#), format!(r#""p";q=9{}"#, ";x".repeat(MOST_BYTES)));
    let limit = |policy| quota(&[("ratelimit", r#""p";r=1"#), policy]).unwrap().limit;
    assert_eq!(limit(small), Some(9));
    assert_eq!(limit((POLICY, &large)), None);
}

#[test]
fn a_reset_is_never_longer_than_the_longest() {
    for field in [r#""p";r=0;t=999999999999999"#, "remaining=0, reset=999999999999999"] {
        let reset = quota(&[("ratelimit", field)]).unwrap().reset;
        assert_eq!(reset, Some(Hints::LONGEST), "{field}");
    }
}

#[test]
fn the_tightest_member_counts() {
    let left = |field| quota(&[("ratelimit", field)]).map(|quota| quota.scope);
    let name = |name: &str| Some(Scope::Named(name.into()));
    assert_eq!(left(r#""a";r=5, "b";r=3, "c";r=4"#), name("b"));
    assert_eq!(left(r#""a";r=0;t=5, "b";r=0;t=9, "c";r=1;t=99"#), name("b"));
}

#[test]
fn a_policy_is_of_the_partition_that_it_names() {
    let field = r#""d";r=0;t=60;pk=:YQ==:, "d";r=5;t=9;pk=:Yg==:"#;
    let policy = r#""d";q=9;qu="concurrent-requests";pk=:Yg==:, "d";q=100;w=60;pk=:YQ==:"#;
    let quotas =
        Hints::read_at(&headers(&[("ratelimit", field), ("ratelimit-policy", policy)]), NOW);
    let read: Vec<_> = quotas.quotas().iter().map(|quota| (quota.unit, quota.limit)).collect();
    assert_eq!(read, [(Unit::Requests, Some(100)), (Unit::InFlight, Some(9))]);
    assert_eq!(quotas.wait(), Some(Duration::from_secs(60)));
}

#[test]
fn of_two_policies_of_one_name_the_one_that_renews_with_time_counts() {
    let policy = r#""d";q=9;qu="concurrent-requests", "d";q=100;w=60"#;
    let read = quota(&[("ratelimit", r#""d";r=0"#), ("ratelimit-policy", policy)]).unwrap();
    assert_eq!((read.unit, read.limit), (Unit::Requests, Some(100)));
    assert_eq!(read.reset, Some(Duration::from_secs(60)));
}
