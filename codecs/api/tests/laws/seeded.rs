//! Each mistake is caught, and by the law that names it.

use std::process::ExitCode;
use std::time::Duration;

use codec_api::Kind;
use codec_api::laws::{Law, Laws, Recorded};

use crate::tiny::{Bug, LIMIT, Tiny, frame};

/// All laws over the messages of a small protocol with this mistake.
fn laws(bug: Bug) -> Laws {
    Laws::of(Tiny(bug))
        .message(
            Recorded::request(
                "get",
                frame(b'q', 0x0012_3456, "get", &[("Zone", "north"), ("user", "Ann")], b"Key"),
            )
            .shows("method", "get")
            .shows("Zone", "north")
            .shows("user", "Ann")
            .payload(b"Key"),
        )
        .message(Recorded::response("get", frame(b'r', 0x0012_3456, "", &[], b"value")).payload(b"value"))
        .message(
            Recorded::request("put", frame(b'q', 7, "Put", &[], &[b'x'; 300]))
                .shows("method", "Put")
                .payload("xxx"),
        )
        .message(Recorded::response("put", frame(b'e', 7, "", &[], b"full")).payload("full"))
        .message(Recorded::oneway("note", frame(b'1', 8, "note", &[], b"-")).payload("-"))
        .message(Recorded::from_client(Kind::Ping, "ping", frame(b'p', 9, "", &[], b"")))
        .message(Recorded::from_endpoint(Kind::GoingAway, "goodbye", frame(b'g', 0, "", &[], b"")))
        .long(|bytes| frame(b'q', 1, "put", &[], &vec![b'x'; bytes]))
        .limit(LIMIT)
        .memory(16 << 10, |work| allocation_counter::measure(work).bytes_max)
        .cases(600)
}

/// The laws that a codec with this mistake breaks.
fn broken(bug: Bug) -> Vec<Law> {
    laws(bug).breaches().into_iter().map(|breach| breach.law).collect()
}

#[test]
fn a_good_codec_keeps_all_laws() {
    laws(Bug::None).check();
}

#[test]
fn each_mistake_breaks_its_law() {
    let rows = [
        (Bug::TakesEveryOption, Law::Options),
        (Bug::LengthIsOneShort, Law::Kind),
        (Bug::ShiftsTheMethod, Law::Attributes),
        (Bug::AsksForWhatItHas, Law::Cut),
        (Bug::AsksForBytesThatMayNotCome, Law::Cut),
        (Bug::PanicsOnShortInput, Law::Panic),
        (Bug::TakesWhateverIsThere, Law::Several),
        (Bug::KeepsTheLengthOfTheLast, Law::Split),
        (Bug::Tidies, Law::Untouched),
        (Bug::LosesHalfTheId, Law::Id),
        (Bug::DoesNotRestoreTheId, Law::Id),
        (Bug::WriteIsNotEncode, Law::Write),
        (Bug::WritesBeforeItRefuses, Law::Write),
        (Bug::LosesEdits, Law::Edit),
        (Bug::EditsTwice, Law::Edit),
        (Bug::EditsThePayload, Law::Edit),
        (Bug::RemembersOneways, Law::Oneway),
        (Bug::RefusesEqualIds, Law::Correlation),
        (Bug::AnswersTheLastRequest, Law::Order),
        (Bug::RepliesWithNothing, Law::LocalReply),
        (Bug::RepliesWithAnotherId, Law::LocalReply),
        (Bug::RepliesThatAllIsWell, Law::LocalReply),
        (Bug::RepliesTheSameToAll, Law::LocalReply),
        (Bug::CountsLettersInsteadOfBytes, Law::LocalReply),
        (Bug::ChecksTheLimitAfterTheBody, Law::Limit),
        (Bug::SkipsTooLittle, Law::Limit),
        (Bug::RefusesWithoutAnAnswer, Law::Limit),
        (Bug::PongsWithAnotherId, Law::Heartbeat),
        (Bug::GoesAwayInSilence, Law::GoingAway),
        (Bug::ScansAgainAndAgain, Law::Linear),
        (Bug::ScansTheWholeBuffer, Law::Linear),
        (Bug::AllocatesWhatIsAnnounced, Law::Memory),
        (Bug::KeepsEachRequest, Law::Memory),
        (Bug::TrustsTheMethodsLength, Law::Hostile),
        (Bug::OffersValuesBeyondTheMessage, Law::Attributes),
    ];
    for (bug, law) in rows {
        let broken = broken(bug);
        println!("{bug:?}: {broken:?}");
        assert!(broken.contains(&law), "{bug:?} breaks {broken:?}, not {law}");
    }
}

#[test]
fn a_codec_that_never_returns_is_named() {
    let hang = frame(b'q', 1, &"x".repeat(128), &[], b"");
    let laws =
        laws(Bug::NeverReturns).message(Recorded::request("long", hang)).patience(Duration::from_secs(2));
    let breaches = laws.breaches();
    assert_eq!(breaches.iter().map(|breach| breach.law).collect::<Vec<_>>(), [Law::Hang]);
    assert!(breaches[0].subject.contains("\"long\""), "{}", breaches[0]);
}

#[test]
fn a_breach_tells_law_message_place_and_what_would_be_right() {
    let breaches = laws(Bug::AsksForWhatItHas).breaches();
    let text = breaches[0].to_string();
    for part in [
        "law Cut is broken by a client's Request \"get\", at byte 8",
        "found: Need with a total of 8",
        "right: Need with a total from 9 to 38, the message's length",
        "bytes: 00 00 00 22 71 00 12 34 (8 in all)",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn too_little_to_try_the_laws_with_is_said() {
    let breaches = Laws::of(Tiny(Bug::None)).breaches();
    assert_eq!(breaches.len(), 1);
    assert_eq!(breaches[0].law, Law::Setup);
    assert!(breaches[0].right.contains("at least one recorded request"), "{}", breaches[0]);
}

#[test]
fn a_fuzz_target_finds_a_mistake_and_keeps_the_input() {
    let folder = std::env::temp_dir().join(format!("laws-fuzz-{}", std::process::id()));
    let arguments = |more: &[&str]| {
        let save = ["--save", folder.to_str().unwrap()];
        save.iter().chain(more).map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    let search = arguments(&["--seconds", "60", "--seed", "7"]);
    assert_eq!(laws(Bug::TrustsTheMethodsLength).fuzz(search), ExitCode::FAILURE);
    let sides = [("--client", "tiny-client.bin"), ("--endpoint", "tiny-endpoint.bin")];
    let saved = sides.map(|(side, file)| (side, folder.join(file)));
    let (side, input) = saved.iter().find(|(_, file)| file.is_file()).expect("the input is saved");
    let replay = arguments(&[side, input.to_str().unwrap()]);
    assert_eq!(laws(Bug::TrustsTheMethodsLength).fuzz(replay.clone()), ExitCode::FAILURE);
    assert_eq!(laws(Bug::None).fuzz(replay), ExitCode::SUCCESS);
    assert_eq!(laws(Bug::None).fuzz(["--seconds".to_owned(), "soon".to_owned()]), ExitCode::from(2));
    std::fs::remove_dir_all(&folder).unwrap();
}
