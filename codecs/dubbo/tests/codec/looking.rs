//! What a listener asks of every request: its own time, and callback arguments.

use std::time::Duration;

use codec_api::{Affinity, Cause, Codec, Decoded, Kind, Message, OptionValue, Options, Protocol, Side};
use codec_dubbo::{CALLBACKS, Callbacks, DEADLINE, Dubbo, DubboCodec, MAX_MESSAGE_BYTES, Settings};

use crate::jsonb::{self, Json};
use crate::writer::{Call, Length, Tree, frame, text};

fn settings(options: &[(&str, &str)]) -> Settings {
    let options =
        options.iter().map(|(name, value)| ((*name).to_owned(), OptionValue::Text((*value).to_owned())));
    Settings::read(&Options(options.collect())).unwrap()
}

fn deadline() -> Settings {
    settings(&[(DEADLINE, "attachment")])
}

fn decode(settings: Settings, side: Side, bytes: &[u8]) -> Message {
    match DubboCodec::new(side, settings).decode(bytes) {
        Ok(Decoded::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn time(bytes: &[u8]) -> Option<Duration> {
    decode(deadline(), Side::Downstream, bytes).flow.time
}

fn call(attachments: Vec<(&str, Tree)>) -> Vec<u8> {
    let attachments = attachments.into_iter().map(|(name, value)| (text(name), value));
    Call::new(vec![text("x")], attachments.collect()).frame()
}

#[test]
fn a_request_says_how_long_it_may_take() {
    let int = |value| Tree::Int(value, Length::Short);
    let rows = [
        (vec![("timeout", text("10000"))], Some(10_000)),
        (vec![("timeout", int(300))], Some(300)),
        (vec![("timeout", Tree::Long(1 << 40, Length::Short))], Some(1 << 40)),
        (vec![("Timeout", text("7"))], Some(7)),
        (vec![("_TO", int(4321))], Some(4321)),
        (vec![("_to", text("12"))], Some(12)),
        (vec![("timeout", text("1000")), ("_TO", int(250))], Some(250)),
        (vec![("_TO", int(2500)), ("timeout", text("1000"))], Some(1000)),
        (vec![("timeout", text("0"))], None),
        (vec![("timeout", int(-1)), ("_TO", int(9))], Some(9)),
        (vec![("timeout", text("soon"))], None),
        (vec![("timeout", Tree::Null)], None),
        (vec![], None::<u64>),
    ];
    for (attachments, millis) in rows {
        let shown = format!("{attachments:?}");
        assert_eq!(time(&call(attachments)), millis.map(Duration::from_millis), "{shown}");
    }
    let jsonb = vec![(jsonb::text("timeout"), jsonb::text("1000")), (jsonb::text("_TO"), Json::Int(250))];
    let jsonb = jsonb::Call::new(vec![jsonb::text("x")], jsonb).frame();
    assert_eq!(time(&jsonb), Some(Duration::from_millis(250)));
}

#[test]
fn nobody_looks_for_what_was_not_asked_for() {
    let bytes = call(vec![("timeout", text("1000")), ("sys_callback_arg-0", text("5"))]);
    for (settings, side) in [(Settings::default(), Side::Downstream), (deadline(), Side::Upstream)] {
        let mut codec = DubboCodec::new(side, settings);
        let Ok(Decoded::Message(message)) = codec.decode(&bytes) else { panic!() };
        assert_eq!(
            (message.flow.time, message.flow.affinity, codec.bytes_walked()),
            (None, Affinity::Free, 0)
        );
    }
    let mut codec = DubboCodec::new(Side::Downstream, deadline());
    let Ok(Decoded::Message(message)) = codec.decode(&bytes) else { panic!() };
    assert_eq!((message.flow.time, message.flow.affinity), (Some(Duration::from_secs(1)), Affinity::Free));
    assert!(codec.bytes_walked() > 0);
    let mut oneway = bytes;
    oneway[2] = 0x82;
    assert_eq!(time(&oneway), None, "nobody waits for it");
}

#[test]
fn a_callback_argument_pins_or_is_refused() {
    let with =
        call(vec![("timeout", text("1000")), ("sys_callback_arg-1", text("77")), ("_TO", text("300"))]);
    let without = call(vec![("sys_callback", text("77"))]);
    let in_jsonb = vec![(jsonb::text("sys_callback_arg-0"), jsonb::text("77"))];
    let in_jsonb = jsonb::Call::new(vec![], in_jsonb).frame();

    let pin = settings(&[(CALLBACKS, "pin"), (DEADLINE, "attachment")]);
    let message = decode(pin, Side::Downstream, &with);
    assert_eq!(
        (message.flow.affinity, message.flow.time),
        (Affinity::Private, Some(Duration::from_millis(300)))
    );
    assert_eq!(decode(pin, Side::Downstream, &in_jsonb).flow.affinity, Affinity::Private);
    assert_eq!(decode(pin, Side::Downstream, &without).flow.affinity, Affinity::Free);

    let refuse = settings(&[(CALLBACKS, "refuse")]);
    assert_eq!(decode(refuse, Side::Downstream, &without).flow.affinity, Affinity::Free);
    for (bytes, name) in [(&with, "sys_callback_arg-1"), (&in_jsonb, "sys_callback_arg-0")] {
        let Ok(Decoded::Reject(refused)) = DubboCodec::new(Side::Downstream, refuse).decode(bytes) else {
            panic!()
        };
        assert_eq!((refused.skip, refused.cause), (bytes.len() as u64, Cause::Unsupported));
        assert_eq!(
            refused.text,
            format!(
                "com.acme.Orders.place takes a callback argument (attachment {name}), and this listener refuses them \
                 (callbacks: refuse)"
            )
        );
        assert!(refused.answer.is_some());
    }
    let mut oneway = with;
    oneway[2] = 0x82;
    let Ok(Decoded::Reject(refused)) = DubboCodec::new(Side::Downstream, refuse).decode(&oneway) else {
        panic!()
    };
    assert_eq!(refused.answer, None);
}

#[test]
fn a_client_answers_callbacks_only_where_they_are_served() {
    let answer = frame(2, 20, 9, b"\x95H\x05dubbo\x052.0.2Z");
    let pin = settings(&[(CALLBACKS, "pin")]);
    let message = decode(pin, Side::Downstream, &answer);
    assert_eq!((message.kind, message.id), (Kind::Response, 9));
    for other in [Settings::default(), settings(&[(CALLBACKS, "refuse")])] {
        let error = DubboCodec::new(Side::Downstream, other).decode(&answer).unwrap_err();
        assert!(error.reason.contains("a client sent a response"), "{error}");
    }
}

#[test]
fn options_are_read_and_mistakes_are_told() {
    assert_eq!(settings(&[]), Settings::default());
    let all = settings(&[(CALLBACKS, "refuse"), (DEADLINE, "attachment")]);
    assert_eq!((all.callbacks, all.deadline), (Some(Callbacks::Refuse), true));
    let wrong = [
        (CALLBACKS, OptionValue::Text("drop".into())),
        (DEADLINE, OptionValue::Bool(true)),
        (MAX_MESSAGE_BYTES, OptionValue::Integer(1)),
        ("callback", OptionValue::Text("pin".into())),
    ];
    let wrong = Options(wrong.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    for side in [Side::Downstream, Side::Upstream] {
        let errors = Dubbo.configure(side, &wrong).err().unwrap();
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "callback: unknown option; known are maxMessageBytes, callbacks, deadline",
                "maxMessageBytes: 1 is not a whole number from 1024 to 1073741824",
                "callbacks: \"drop\" is neither pin nor refuse",
                "deadline: true is not attachment, the one place that it is read from",
            ]
        );
    }
}
