//! What a client refuses holds back the removal of what its last good version may need.

use std::collections::VecDeque;
use std::sync::Arc;

use xds::ResourceType;

use super::{CDS, Content, EDS, LDS, RDS, after, catalogue, delta, nack, node, snapshot, told, world};
use super::{ack, changes, subscribe};
use crate::ads::session::{Dialect, HELD_BACK_LIMIT, Progress, Response, Session};
use crate::snapshot::Catalogue;

type All<'a> = [(ResourceType, &'a str, &'a str)];

const OLD: [(ResourceType, &str, &str); 4] =
    [(CDS, "a", "1"), (EDS, "a", "1"), (LDS, "l", "q"), (RDS, "q", "a")];

/// Takes all responses, and all that follow.
fn take(session: &mut Session, sent: Vec<Response>) -> Vec<String> {
    let mut waiting: VecDeque<_> = sent.into();
    let mut all = Vec::new();
    while let Some(response) = waiting.pop_front() {
        all.extend(told(std::slice::from_ref(&response)));
        waiting.extend(session.request(ack(&response)).unwrap());
    }
    all
}

/// A client that has all of `now`, and wants clusters a and b and routes q and r.
fn up_to_date(now: &Arc<Catalogue>) -> Session {
    let mut session = delta(now);
    for request in
        [subscribe(CDS, &[]), subscribe(EDS, &["a", "b"]), subscribe(LDS, &[]), subscribe(RDS, &["q", "r"])]
    {
        let sent = session.request(request).unwrap();
        take(&mut session, sent);
    }
    session
}

/// Takes what there is to add of `now` but the routes, which are refused. What is told then.
fn refuse_routes(session: &mut Session, now: Arc<Catalogue>) -> Vec<String> {
    let mut waiting: VecDeque<_> = session.catalogue(now).into();
    while let Some(response) = waiting.pop_front() {
        if response.type_url == RDS.type_url() {
            return told(&session.request(nack(&response, "no")).unwrap());
        }
        waiting.extend(session.request(ack(&response)).unwrap());
    }
    panic!("no routes were told");
}

fn removals(session: &Session) -> usize {
    ResourceType::ALL.into_iter().map(|kind| session.progress(kind).pending).sum()
}

#[test]
fn while_routes_are_refused_no_cluster_is_removed() {
    let new = |version| [(CDS, "b", "1"), (EDS, "b", "1"), (LDS, "l", "q"), (RDS, "q", version)];
    let first = catalogue(&OLD);
    let refusing = || {
        let mut session = up_to_date(&first);
        let second = after(&first, &new("b"));
        assert_eq!(
            refuse_routes(&mut session, Arc::clone(&second)),
            [""; 0],
            "the routes in force lead to a"
        );
        assert_eq!(removals(&session), 2);
        (session, second)
    };
    let ends: [(&All<'_>, &[&str]); 3] = [
        (&new("b2"), &["+q=b2", "-a", "-a"]),
        (&[(CDS, "b", "1"), (EDS, "b", "1"), (LDS, "l", "r")], &["+l=r", "-q", "-a", "-a"]),
        (&[], &["-q", "-l", "-a", "-b", "-a", "-b"]),
    ];
    for (end, expected) in ends {
        let (mut session, second) = refusing();
        let sent = session.catalogue(after(&second, end));
        assert_eq!(take(&mut session, sent), expected);
        assert_eq!((removals(&session), session.refusals().count()), (0, 0));
    }
    let (mut session, _) = refusing();
    let sent = session.request(changes(RDS, &[], &["q"], &[])).unwrap();
    assert_eq!(take(&mut session, sent), ["-a", "-a"], "it does not want the routes any more");
    let (mut session, second) = refusing();
    let sent = session.catalogue(after(&second, &OLD));
    assert_eq!(take(&mut session, sent), ["+q=a", "-b", "-b"], "it has what is there again");
}

#[test]
fn while_a_listener_is_refused_no_routes_are_removed() {
    let first = catalogue(&OLD);
    let mut session = up_to_date(&first);
    let new = |version| [(CDS, "b", "1"), (EDS, "b", "1"), (LDS, "l", version), (RDS, "r", "b")];
    let second = after(&first, &new("r"));
    let sent = session.catalogue(Arc::clone(&second));
    session.request(ack(&sent[0])).unwrap();
    let listener = session.request(ack(&sent[1])).unwrap();
    assert_eq!(told(&listener), ["+l=r", "+r=b"]);
    session.request(nack(&listener[0], "no")).unwrap();
    let held = session.request(ack(&listener[1])).unwrap();
    assert_eq!(told(&held), [""; 0], "the listener in force names q, and that leads to a");
    let gone = [(CDS, "b", "1"), (EDS, "b", "1"), (RDS, "r", "b")];
    let sent = session.catalogue(after(&second, &gone));
    assert_eq!(told(&sent), ["-l"], "what leads there goes first");
    assert_eq!(take(&mut session, sent), ["-l", "-q", "-a", "-a"]);
}

#[test]
fn while_a_cluster_is_refused_its_endpoints_are_not_removed() {
    let first = catalogue(&OLD);
    let mut session = up_to_date(&first);
    let second = after(&first, &[(CDS, "a", "by DNS"), (LDS, "l", "q"), (RDS, "q", "a")]);
    let sent = session.catalogue(Arc::clone(&second));
    assert_eq!(told(&sent), ["+a=by DNS"]);
    assert_eq!(told(&session.request(nack(&sent[0], "no")).unwrap()), [""; 0]);
    let sent = session.catalogue(after(&second, &[(CDS, "a", "2"), (LDS, "l", "q"), (RDS, "q", "a")]));
    assert_eq!(take(&mut session, sent), ["+a=2", "-a"]);
}

#[test]
fn who_refuses_a_removal_holds_nothing_back() {
    let first = catalogue(&OLD);
    let mut session = up_to_date(&first);
    let sent = session.catalogue(after(&first, &[]));
    assert_eq!(told(&sent), ["-q"]);
    let sent = session.request(nack(&sent[0], "no")).unwrap();
    assert_eq!(take(&mut session, sent), ["-l", "-a", "-a"]);
}

#[test]
fn what_is_held_back_is_bounded() {
    let with = |many: usize, routes: &str| -> Content {
        let clusters = (0..many).map(|number| ((CDS, format!("{number:0>5}")), "1".to_owned()));
        clusters.chain([((RDS, "q".to_owned()), routes.to_owned())]).collect()
    };
    let first = Arc::new(Catalogue::default().next(snapshot(&with(HELD_BACK_LIMIT + 1, "1"))));
    let mut session = up_to_date(&first);
    let second = Arc::new(first.next(snapshot(&with(1, "2"))));
    assert_eq!(refuse_routes(&mut session, Arc::clone(&second)), [""; 0]);
    assert_eq!(session.progress(CDS).pending, HELD_BACK_LIMIT);
    let sent = session.catalogue(Arc::new(second.next(snapshot(&with(0, "2")))));
    assert_eq!(take(&mut session, sent).len(), HELD_BACK_LIMIT, "one too many");
    assert_eq!(session.progress(CDS).pending, 1, "few enough again");
}

#[test]
fn in_the_state_of_the_world_what_is_refused_holds_back_as_well() {
    let first = catalogue(&[(CDS, "a", "1"), (RDS, "q", "a")]);
    let mut session = Session::new(node(), Dialect::StateOfTheWorld, Arc::clone(&first));
    let answer = |kind, names: &[&str], sent: &Response| world(kind, names, &sent.nonce, &sent.version);
    let clusters = session.request(world(CDS, &[], "", "")).unwrap();
    session.request(answer(CDS, &[], &clusters[0])).unwrap();
    let routes = session.request(world(RDS, &["q"], "", "")).unwrap();
    session.request(answer(RDS, &["q"], &routes[0])).unwrap();

    let second = after(&first, &[(CDS, "b", "1"), (RDS, "q", "b")]);
    let clusters = session.catalogue(Arc::clone(&second));
    assert_eq!(told(&clusters), ["+b=1", "+a=1"]);
    let routes = session.request(answer(CDS, &[], &clusters[0])).unwrap();
    let mut no = answer(RDS, &["q"], &routes[0]);
    no.error = nack(&routes[0], "no").error;
    assert_eq!(told(&session.request(no).unwrap()), [""; 0]);
    let Progress { pending, refused, .. } = session.progress(RDS);
    assert_eq!((pending, refused, removals(&session)), (0, 1, 1));

    let third = after(&second, &[(CDS, "b", "1")]);
    let sent = session.catalogue(Arc::clone(&third));
    assert_eq!(told(&sent), ["+b=1"], "the routes are gone, so nothing leads to a");
    assert_eq!(session.refusals().count(), 0);

    let mut again = Session::new(node(), Dialect::StateOfTheWorld, third);
    let sent_again = again.request(world(CDS, &[], "", &clusters[0].version)).unwrap();
    assert_eq!(told(&sent_again), ["+b=1"], "it has to learn that a is gone");
    let sent = Session::new(node(), Dialect::StateOfTheWorld, second).request(answer(CDS, &[], &sent[0]));
    assert!(sent.unwrap().is_empty(), "it knows all of them");
}
