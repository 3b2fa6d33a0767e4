//! What the conditions of an object say: a pure function of what there is to say about it.
//!
//! `Accepted`: whether the object itself can be meant. `ResolvedRefs`: whether what it refers to is there. `Programmed`:
//! how many proxies have it in force.

use crds::ReplicaStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use crate::object::Kind;
use crate::status::{Diagnostic, Reason, Severity};
use crate::tree::FieldPath;

/// Letters that the message of a condition has at most.
const MESSAGE_LIMIT: usize = 1024;

/// Mistakes that one message names.
const MISTAKES_LIMIT: usize = 5;

/// All that conditions are made of.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) kind: Kind,
    pub(super) generation: Option<i64>,
    /// About this object.
    pub(super) diagnostics: &'a [&'a Diagnostic],
    /// It serves something, so proxies may want it.
    pub(super) is_served: bool,
    /// What each replica that lives knows.
    pub(super) replicas: &'a [ReplicaStatus],
}

/// The conditions, where `before` are those that the object has.
pub(super) fn conditions(facts: &Facts<'_>, before: &[Condition], now: Timestamp) -> Vec<Condition> {
    let mut verdicts = vec![("Accepted", accepted(facts.diagnostics))];
    if facts.kind == Kind::MetaRouter {
        verdicts.push(("ResolvedRefs", resolved(facts.diagnostics)));
        verdicts.push(("Programmed", programmed(facts)));
    }
    let condition = |(type_, verdict): (&str, Verdict)| {
        let status = if verdict.holds { "True" } else { "False" };
        let same = before.iter().find(|known| known.type_ == type_ && known.status == status);
        Condition {
            last_transition_time: same.map_or(Time(now), |known| known.last_transition_time.clone()),
            message: verdict.message.chars().take(MESSAGE_LIMIT).collect(),
            observed_generation: facts.generation,
            reason: verdict.reason.to_owned(),
            status: status.to_owned(),
            type_: type_.to_owned(),
        }
    };
    verdicts.into_iter().map(condition).collect()
}

/// Whether both say the same, whenever it became so.
pub(super) fn say_the_same(a: &[Condition], b: &[Condition]) -> bool {
    fn said(one: &Condition) -> (&str, &str, &str, &str, Option<i64>) {
        (&one.type_, &one.status, &one.reason, &one.message, one.observed_generation)
    }
    a.len() == b.len() && a.iter().all(|one| b.iter().any(|other| said(one) == said(other)))
}

struct Verdict {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Verdict {
    fn yes(reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds: true, reason, message: message.into() }
    }

    fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds: false, reason, message: message.into() }
    }
}

fn accepted(diagnostics: &[&Diagnostic]) -> Verdict {
    let mistakes: Vec<&Diagnostic> = diagnostics
        .iter()
        .copied()
        .filter(|said| said.severity == Severity::Error && !is_of_a_reference(said.reason))
        .collect();
    // What another object or a namespace forbids cannot be mended by changing what the object says.
    let order = [Reason::Conflicted, Reason::NotPermitted, Reason::Unsupported, Reason::Invalid];
    match order.into_iter().find(|reason| mistakes.iter().any(|said| said.reason == *reason)) {
        Some(reason) => Verdict::no(reason.name(), list(&mistakes)),
        None => Verdict::yes("Accepted", ""),
    }
}

fn resolved(diagnostics: &[&Diagnostic]) -> Verdict {
    let mistakes: Vec<&Diagnostic> =
        diagnostics.iter().copied().filter(|said| is_of_a_reference(said.reason)).collect();
    match mistakes.first() {
        Some(first) => Verdict::no(first.reason.name(), list(&mistakes)),
        None => Verdict::yes("ResolvedRefs", ""),
    }
}

fn programmed(facts: &Facts<'_>) -> Verdict {
    if !facts.is_served {
        return Verdict::no("NotServed", "these routes serve nothing; the other conditions say why");
    }
    let is_current = |replica: &&ReplicaStatus| replica.observed_generation == facts.generation;
    let proxies: u32 = facts.replicas.iter().map(|replica| replica.proxies).sum();
    let programmed: u32 = facts.replicas.iter().filter(is_current).map(|replica| replica.programmed).sum();
    let refused = facts.replicas.iter().find(|replica| !replica.refused.is_empty());
    let count = format!("{programmed} of {proxies} proxies");
    match refused {
        Some(replica) => Verdict::no("Refused", format!("{count}; {}", replica.refused)),
        None if proxies == 0 => Verdict::no("NoProxies", "no proxy that wants these routes is connected"),
        None if programmed < proxies => Verdict::no("Pending", count),
        None => Verdict::yes("Programmed", count),
    }
}

fn is_of_a_reference(reason: Reason) -> bool {
    matches!(reason, Reason::BackendNotFound | Reason::SubsetNotFound)
}

/// The first mistakes, and how many more there are.
fn list(mistakes: &[&Diagnostic]) -> String {
    let line = |said: &&Diagnostic| {
        if said.path == FieldPath::root() {
            said.message.clone()
        } else {
            format!("{}: {}", said.path, said.message)
        }
    };
    let text = mistakes.iter().take(MISTAKES_LIMIT).map(line).collect::<Vec<_>>().join("; ");
    match mistakes.len().saturating_sub(MISTAKES_LIMIT) {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Key;

    fn said(severity: Severity, reason: Reason, path: &str, message: &str) -> Diagnostic {
        Diagnostic {
            file: None,
            position: None,
            severity,
            object: Some(Key {
                kind: Kind::MetaRouter,
                namespace: "shop".to_owned(),
                name: "orders".to_owned(),
            }),
            path: FieldPath::spec().field(path),
            message: message.to_owned(),
            reason,
            near: None,
        }
    }

    fn replica(
        name: &str,
        generation: i64,
        (programmed, proxies): (u32, u32),
        refused: &str,
    ) -> ReplicaStatus {
        ReplicaStatus {
            name: name.to_owned(),
            observed_generation: Some(generation),
            proxies,
            programmed,
            refused: refused.to_owned(),
        }
    }

    /// The conditions of generation 2, each on a line.
    fn lines(diagnostics: &[Diagnostic], is_served: bool, replicas: &[ReplicaStatus]) -> Vec<String> {
        let diagnostics: Vec<&Diagnostic> = diagnostics.iter().collect();
        let facts = Facts {
            kind: Kind::MetaRouter,
            generation: Some(2),
            diagnostics: &diagnostics,
            is_served,
            replicas,
        };
        let line = |one: Condition| {
            format!("{}={} {} {}", one.type_, one.status, one.reason, one.message).trim_end().to_owned()
        };
        conditions(&facts, &[], Timestamp::UNIX_EPOCH).into_iter().map(line).collect()
    }

    #[test]
    fn conditions_say_what_there_is_to_say() {
        let error = Severity::Error;
        let all_in_force = [replica("a", 2, (1, 1), "")];
        let good = [
            "Accepted=True Accepted",
            "ResolvedRefs=True ResolvedRefs",
            "Programmed=True Programmed 1 of 1 proxies",
        ];
        assert_eq!(lines(&[], true, &all_in_force), good);

        let rows = [
            (said(error, Reason::Conflicted, "hosts", "x"), "Accepted=False Conflicted spec.hosts: x"),
            (said(error, Reason::NotPermitted, "hosts", "x"), "Accepted=False NotPermitted spec.hosts: x"),
            (
                said(error, Reason::Unsupported, "gateways", "x"),
                "Accepted=False Unsupported spec.gateways: x",
            ),
            (said(error, Reason::Invalid, "routes", "x"), "Accepted=False Invalid spec.routes: x"),
            (said(Severity::Warning, Reason::Invalid, "routes", "x"), "Accepted=True Accepted"),
        ];
        for (diagnostic, expected) in rows {
            assert_eq!(lines(&[diagnostic], true, &all_in_force)[..2], [expected, good[1]]);
        }
        let rows = [
            (
                said(error, Reason::SubsetNotFound, "routes", "x"),
                "ResolvedRefs=False SubsetNotFound spec.routes: x",
            ),
            (
                said(Severity::Warning, Reason::BackendNotFound, "hosts", "x"),
                "ResolvedRefs=False BackendNotFound spec.hosts: x",
            ),
        ];
        for (diagnostic, expected) in rows {
            assert_eq!(lines(&[diagnostic], true, &all_in_force)[..2], [good[0], expected]);
        }
    }

    #[test]
    fn what_cannot_be_mended_in_the_object_is_told_first_and_a_long_list_is_cut() {
        let invalid = said(Severity::Error, Reason::Invalid, "routes", "x");
        let conflicted = said(Severity::Error, Reason::Conflicted, "hosts", "y");
        let all = [invalid.clone(), conflicted];
        assert_eq!(lines(&all, true, &[])[0], "Accepted=False Conflicted spec.routes: x; spec.hosts: y");
        let many = vec![invalid; 7];
        assert!(
            lines(&many, true, &[])[0].ends_with("spec.routes: x; and 2 more"),
            "{:?}",
            lines(&many, true, &[])
        );
    }

    #[test]
    fn proxies_of_all_replicas_are_counted_and_old_answers_are_not() {
        let rows: [(bool, &[ReplicaStatus], &str); 6] = [
            (
                false,
                &[replica("a", 2, (1, 1), "")],
                "False NotServed these routes serve nothing; the other conditions say why",
            ),
            (true, &[], "False NoProxies no proxy that wants these routes is connected"),
            (
                true,
                &[replica("a", 2, (1, 1), ""), replica("b", 2, (1, 2), "")],
                "False Pending 2 of 3 proxies",
            ),
            (
                true,
                &[replica("a", 2, (1, 1), ""), replica("b", 1, (2, 2), "")],
                "False Pending 1 of 3 proxies",
            ),
            (
                true,
                &[replica("a", 2, (1, 1), ""), replica("b", 2, (2, 2), "")],
                "True Programmed 3 of 3 proxies",
            ),
            (
                true,
                &[replica("a", 2, (1, 2), "routes x: bad")],
                "False Refused 1 of 2 proxies; routes x: bad",
            ),
        ];
        for (is_served, replicas, expected) in rows {
            assert_eq!(lines(&[], is_served, replicas)[2], format!("Programmed={expected}"));
        }
    }

    #[test]
    fn the_time_of_a_condition_is_that_of_its_last_turn() {
        let facts = |diagnostics| Facts {
            kind: Kind::ApplicationProtocol,
            generation: Some(1),
            diagnostics,
            is_served: false,
            replicas: &[],
        };
        let later = Timestamp::from_second(5).unwrap();
        let first = conditions(&facts(&[]), &[], Timestamp::UNIX_EPOCH);
        let same = conditions(&facts(&[]), &first, later);
        assert_eq!(first, same);
        let mistake = said(Severity::Error, Reason::Invalid, "protocol", "x");
        let turned = conditions(&facts(&[&mistake]), &same, later);
        assert_eq!(turned[0].last_transition_time, Time(later));
        assert!(say_the_same(&first, &same) && !say_the_same(&first, &turned));
    }
}
