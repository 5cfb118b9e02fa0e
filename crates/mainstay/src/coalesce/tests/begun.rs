//! Who joins a flight that its first passenger has begun and not yet made.

use std::thread;

use super::*;

type Meanwhile = Box<dyn FnOnce() + Send>;

/// Does something on another thread before a request is sent for several, once, and then panics.
#[derive(Clone, Default)]
struct Panics {
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
}

impl CoalesceBy<&'static str> for Panics {
    fn key(&self, request: &&'static str) -> Option<Key> {
        word(request)
    }

    fn make_common(&self, _: &mut &'static str) {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            thread::spawn(meanwhile).join().unwrap();
            panic!("somebody's code");
        }
    }
}

#[test]
fn who_joined_before_a_panic_of_who_began_it_begins_anew() {
    let by = Panics::default();
    let layer = CoalesceLayer::new(by.clone());
    let (server, service) = script();
    let mut first = layer.layer(service);
    let mut second = first.clone();
    for client in [&mut first, &mut second] {
        assert_ready_ok!(task::spawn(poll_fn(|cx| client.poll_ready(cx))).poll());
    }
    let joined = Arc::new(Mutex::new(None));
    let joins = Arc::clone(&joined);
    let meanwhile: Meanwhile = Box::new(move || {
        let mut call = task::spawn(second.call("a 2"));
        assert_pending!(call.poll());
        *joins.lock().unwrap() = Some(call);
    });
    *by.meanwhile.lock().unwrap() = Some(meanwhile);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(first.call("a 1")))).is_err());

    let mut joined = joined.lock().unwrap().take().unwrap();
    assert!(joined.is_woken(), "nobody makes it");
    assert_pending!(joined.poll());
    let sent = server.next();
    assert_eq!(sent.request, "a 2");
    sent.ends(Ok("well"));
    assert_eq!(assert_ready_ok!(joined.poll()), "well");
    assert_eq!(layer.in_flight(), 0);
}
