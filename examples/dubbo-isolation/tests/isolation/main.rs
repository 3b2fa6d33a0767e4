//! The experiment in short phases against a stand-in for the proxy: the demo's own parts, without the real one.

mod stand_in;

use dubbo_isolation::chart;
use dubbo_isolation::crowd::Crowd;
use dubbo_isolation::experiment::{self, Settings};
use dubbo_isolation::marking::Marking;
use dubbo_isolation::report::{self, Figures};
use stand_in::StandIn;
use std::time::Duration;

fn short(marking: Marking) -> Settings {
    let ms = Duration::from_millis;
    Settings {
        marking,
        phases: [(ms(250), ms(1000)), (ms(500), ms(1000)), (ms(500), ms(1000))],
        ..Settings::default()
    }
}

#[test]
fn batch_jobs_hurt_user_calls_until_they_are_parted() {
    parted(Marking::Attachment);
}

#[test]
fn batch_applications_are_known_by_their_names_without_a_change_to_them() {
    parted(Marking::Application);
}

#[expect(clippy::unwrap_used, reason = "what a test needs")]
fn parted(marking: Marking) {
    let settings = short(marking);
    let crowd = Crowd::start(settings.user_workers, settings.batch_workers, settings.service_time).unwrap();
    let mut front = StandIn::start(crowd.addresses(), marking).unwrap();
    let mut told = Vec::new();
    let outcome =
        experiment::run(settings, &crowd, &mut front, &mut |progress| told.push(progress.phase)).unwrap();

    let figures = Figures::of(&outcome);
    assert_eq!((figures.errors, figures.closed_connections), (0, 0), "{:?}", outcome.user.first_error);
    // The exact targets are for a quiet machine; that the middle phase is the worst shows on any.
    assert!(figures.p99_us[1] > 2 * figures.p99_us[0], "{figures:?}");
    assert!(figures.p99_us[1] > 2 * figures.p99_us[2], "{figures:?}");
    assert!(figures.batch_share() > 0.5 && figures.batch_share() < 1.2, "{figures:?}");
    let [_, crowded, routed] = &outcome.phases;
    assert!(crowded.by_user.calls > crowded.user.completed, "batch calls reached the user providers");
    assert!(routed.by_batch.calls > 0 && routed.by_user.calls > 0);
    assert!(told.is_sorted() && !told.is_empty(), "{told:?}");
    shown(&outcome);
}

/// What is printed and written holds the figures.
fn shown(outcome: &experiment::Outcome) {
    let result: serde_json::Value = serde_json::from_str(&report::json(outcome)).expect("valid JSON");
    let keys = [
        "unloaded_p99_us",
        "phase1_p99_us",
        "phase2_p99_us",
        "batch_rps",
        "batch_capacity_rps",
        "errors",
        "closed_connections",
    ];
    for key in keys {
        assert!(result[key].is_number(), "{key}: {}", result[key]);
    }
    assert!(report::table(outcome).contains("user latency, p99"));
    let chart = chart::svg(outcome);
    assert_eq!(chart.matches("<polyline").count(), 2);
    assert_eq!(chart.matches(">phase ").count(), 3);
    assert!(!chart.contains("NaN") && !chart.contains("inf"));
}
