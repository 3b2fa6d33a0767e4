//! Options: what they may be, and how mistakes are told.

use std::time::Duration;

use codec_api::{OptionValue, Options, Order, Protocol, Sharing, Side};
use codec_redis::Redis;

use crate::proxy::options;

fn text(text: &str) -> OptionValue {
    OptionValue::Text(text.to_owned())
}

fn map(entries: &[(&str, OptionValue)]) -> OptionValue {
    OptionValue::Map(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// The mistakes in these options, one line each.
fn mistakes(side: Side, options: &Options) -> String {
    let Err(errors) = Redis.configure(side, options) else { return String::new() };
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_mistake_is_told_with_its_path_and_what_would_be_right() {
    let missing = text("/nowhere/at/all");
    for (name, value, words) in [
        (
            "maxMessageBytes",
            OptionValue::Integer(1),
            "maxMessageBytes: 1 is not a whole number from 65536 to 536870912",
        ),
        ("maxElements", text("x"), "maxElements: \"x\" is not a whole number from 1024 to 16777216"),
        ("dedicated", text("yes"), "dedicated: \"yes\" is neither true nor false"),
        ("unknownCommands", text("all"), "unknownCommands: \"all\" is neither refuse nor first-key"),
        ("heartbeat", OptionValue::Integer(0), "heartbeat: 0 is not a whole number from 1 to 3600"),
        ("colour", text("red"), "colour: unknown option; known are maxMessageBytes"),
        ("auth", text("secret"), "auth: \"secret\" is not a map with `passwordFile`, `users`, or both"),
        ("auth", map(&[]), "auth: it names nobody"),
        (
            "auth",
            map(&[("passwordFile", missing.clone())]),
            "auth.passwordFile: /nowhere/at/all cannot be read",
        ),
        (
            "auth",
            map(&[("pasword", text("x"))]),
            "auth.pasword: unknown option; known are passwordFile, users",
        ),
        ("auth", map(&[("users", text("x"))]), "auth.users: \"x\" is not a list"),
        (
            "auth",
            map(&[("users", OptionValue::List(vec![map(&[("name", text("ada"))])]))]),
            "auth.users[0]: a user has a `passwordFile`",
        ),
        (
            "auth",
            map(&[(
                "users",
                OptionValue::List(vec![map(&[("name", text("ada")), ("passwordFile", missing.clone())])]),
            )]),
            "auth.users[0].passwordFile: /nowhere/at/all cannot be read",
        ),
    ] {
        let told = mistakes(Side::Downstream, &options([(name, value)]));
        assert!(told.contains(words), "{name}: {told}");
    }
    let told = mistakes(Side::Upstream, &options([("passwordFile", missing)]));
    assert!(told.contains("passwordFile: /nowhere/at/all cannot be read"), "{told}");
    let told = mistakes(Side::Upstream, &options([("user", text("ada"))]));
    assert!(told.contains("user: a user needs a password"), "{told}");
}

#[test]
fn files_are_read_by_the_side_that_uses_them() {
    let missing = text("/nowhere/at/all");
    assert_eq!(mistakes(Side::Downstream, &options([("passwordFile", missing.clone())])), "");
    let auth = map(&[("passwordFile", missing)]);
    assert_eq!(mistakes(Side::Upstream, &options([("auth", auth)])), "");
}

#[test]
fn both_sides_are_in_order_and_options_decide_the_rest() {
    let conduct = |side, options: &Options| Redis.configure(side, options).unwrap().conduct();
    let plain = Options::default();
    for side in [Side::Downstream, Side::Upstream] {
        let conduct = conduct(side, &plain);
        assert_eq!((conduct.order, conduct.sharing, conduct.keys), (Order::InOrder, None, Some("key")));
        assert_eq!(conduct.heartbeat, Some(Duration::from_mins(1)));
    }
    assert_eq!(conduct(Side::Downstream, &plain).unread_limit, Some(64 << 20));
    assert_eq!(conduct(Side::Upstream, &plain).unread_limit, None);
    let set = options([("dedicated", OptionValue::Bool(true)), ("heartbeat", OptionValue::Integer(5))]);
    assert_eq!(conduct(Side::Downstream, &set).sharing, Some(Sharing::PerDownstream));
    assert_eq!(conduct(Side::Upstream, &set).sharing, None);
    assert_eq!(conduct(Side::Upstream, &set).heartbeat, Some(Duration::from_secs(5)));
}
