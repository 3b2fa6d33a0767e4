//! The table against its meaning, read from a plain list.

use std::time::Duration;

use codec_api::{Attribute, Found, Key, Kind, Message, Properties, Sharing, Span, Value};
use proptest::prelude::*;

use crate::model::{
    AttributeMatcher, ConditionalBucket, Matcher, RateLimit, Retries, Route, RouteAction, RouteConfiguration,
    TokenBucket, ValueMatcher,
};
use crate::route::{Attributes, NEAREST_LIMIT, TRIED_LIMIT, Table};

static PROPERTIES: Properties = Properties {
    head: &["interface", "method"],
    service: Some(0),
    operation: Some(1),
    id_bits: 64,
    sharing: Sharing::Shared(1),
    request_timeout: Duration::from_secs(1),
    heartbeat: None,
};

/// A request: its head's fields, and what stands behind its arguments, as the wire has it.
#[derive(Debug, Clone)]
struct Call {
    head: [Option<String>; 2],
    attached: Vec<(String, String)>,
}

/// A call's attributes as the proxy reads them, with a count of what was asked for.
struct Reader<'a> {
    call: &'a Call,
    wanted: &'a [Attribute],
    bytes: Vec<u8>,
    message: Message,
    found: Option<Found>,
    asked: usize,
}

impl<'a> Reader<'a> {
    fn new(call: &'a Call, table: &'a Table) -> Self {
        let (mut bytes, mut message) = (Vec::new(), Message::new(Kind::Request, 0));
        for (place, field) in call.head.iter().enumerate() {
            if let Some(field) = field {
                message.head[place] = Span::new(bytes.len(), bytes.len() + field.len());
                bytes.extend_from_slice(field.as_bytes());
            }
        }
        Self { call, wanted: table.wanted(), bytes, message, found: None, asked: 0 }
    }
}

impl Attributes for Reader<'_> {
    fn get(&mut self, index: usize, attribute: &Attribute) -> Option<&[u8]> {
        assert_eq!(&self.wanted[index], attribute);
        self.asked += 1;
        if let Key::Head(place) = attribute.key() {
            return self.message.head[place].of(&self.bytes);
        }
        let found = self.found.get_or_insert_with(|| {
            let mut found = Found::default();
            found.reset(self.wanted.len());
            for (name, value) in &self.call.attached {
                found.offer(self.wanted, name.as_bytes(), || Value::Text(value.as_str().into()));
            }
            found
        });
        found.get(index, attribute, &self.message, &self.bytes)
    }
}

/// The meaning of a list of routes, with no regard to cost. Tells the route, and whether anything behind the
/// arguments had to be looked at.
fn read_from_the_top(configuration: &RouteConfiguration, call: &Call) -> (Option<usize>, bool) {
    let is_head = |name: &str| PROPERTIES.head.iter().position(|field| field.eq_ignore_ascii_case(name));
    let mut walked = false;
    for (number, route) in configuration.routes.iter().enumerate() {
        let (heads, others): (Vec<_>, Vec<_>) =
            route.matchers.iter().partition(|matcher| is_head(&matcher.name).is_some());
        let heads_hold = heads.iter().all(|matcher| {
            let place = is_head(&matcher.name).unwrap();
            holds(&matcher.matcher, call.head[place].as_deref())
        });
        if !heads_hold {
            continue;
        }
        walked |= !others.is_empty();
        let others_hold = others.iter().all(|matcher| {
            let exactly = call.attached.iter().find(|(name, _)| *name == matcher.name);
            let roughly = || call.attached.iter().find(|(name, _)| name.eq_ignore_ascii_case(&matcher.name));
            holds(&matcher.matcher, exactly.or_else(roughly).map(|(_, value)| value.as_str()))
        });
        if others_hold {
            return (Some(number), walked);
        }
    }
    (None, walked)
}

fn holds(matcher: &Matcher, value: Option<&str>) -> bool {
    match matcher {
        Matcher::Is(matcher) => value_holds(matcher, value),
        Matcher::Not(matcher) => !value_holds(matcher, value),
    }
}

fn value_holds(matcher: &ValueMatcher, value: Option<&str>) -> bool {
    match (matcher, value) {
        (ValueMatcher::Present(present), _) => *present == value.is_some(),
        (_, None) => false,
        (ValueMatcher::Exact(expected), Some(value)) => value == expected,
        (ValueMatcher::Prefix(prefix), Some(value)) => value.starts_with(prefix.as_str()),
        (ValueMatcher::Regex(source), Some(value)) => match source.as_str() {
            "v|v1" => value == "v" || value == "v1",
            "v1.*" => value.starts_with("v1"),
            "(v[2-5])?" => value.is_empty() || ["v2", "v3", "v4", "v5"].contains(&value),
            other => panic!("{other} is not among the expressions whose meaning is written here"),
        },
    }
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["interface", "METHOD", "method", "region", "Region", "REGION", "user"])
        .prop_map(str::to_owned)
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![6 => (0..12u8).prop_map(|number| format!("v{number}")), 1 => Just(String::new()), 1 => Just("v".to_owned())]
}

fn matchers() -> impl Strategy<Value = Matcher> {
    let value = prop_oneof![
        8 => values().prop_map(ValueMatcher::Exact),
        1 => values().prop_map(ValueMatcher::Prefix),
        1 => prop::sample::select(vec!["v|v1", "v1.*", "(v[2-5])?"]).prop_map(|source| ValueMatcher::Regex(source.to_owned())),
        1 => any::<bool>().prop_map(ValueMatcher::Present),
    ];
    (value, prop::bool::weighted(0.15))
        .prop_map(|(value, not)| if not { Matcher::Not(value) } else { Matcher::Is(value) })
}

fn configurations() -> impl Strategy<Value = RouteConfiguration> {
    let matcher = (names(), matchers()).prop_map(|(name, matcher)| AttributeMatcher { name, matcher });
    let matchers = prop_oneof![1 => Just(vec![]), 20 => prop::collection::vec(matcher, 1..4)];
    prop::collection::vec(matchers, 0..40).prop_map(configuration)
}

fn calls() -> impl Strategy<Value = Call> {
    let head = [prop::option::weighted(0.9, values()), prop::option::weighted(0.9, values())];
    (head, prop::collection::vec((names(), values()), 0..5))
        .prop_map(|(head, attached)| Call { head, attached })
}

fn configuration(routes: Vec<Vec<AttributeMatcher>>) -> RouteConfiguration {
    let route = |(number, matchers)| Route {
        name: format!("r{number}"),
        matchers,
        action: RouteAction::Misconfigured("not asked for here".to_owned()),
        mirror: None,
        timeout: None,
        request_mutation: Vec::new(),
        response_mutation: Vec::new(),
        retries: None,
    };
    RouteConfiguration {
        rate_limit: None,
        name: "shop_20880".to_owned(),
        routes: routes.into_iter().enumerate().map(route).collect(),
    }
}

fn exact(name: &str, value: impl Into<String>) -> AttributeMatcher {
    AttributeMatcher { name: name.to_owned(), matcher: Matcher::Is(ValueMatcher::Exact(value.into())) }
}

fn call(interface: &str, method: &str, attached: &[(&str, &str)]) -> Call {
    Call {
        head: [Some(interface.to_owned()), Some(method.to_owned())],
        attached: attached.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

/// The route found, how many values were asked for, and whether any of them stands behind the arguments.
fn find(table: &Table, call: &Call) -> (Option<usize>, usize, bool) {
    let mut reader = Reader::new(call, table);
    let route = table.find(&mut reader);
    (route, reader.asked, reader.found.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_answers_as_its_list_read_from_the_top(configuration in configurations(), calls in prop::collection::vec(calls(), 8)) {
        let table = Table::new(&configuration, &PROPERTIES).unwrap();
        for call in &calls {
            let (expected, walked) = read_from_the_top(&configuration, call);
            let (found, _, looked) = find(&table, call);
            prop_assert_eq!(found, expected, "{:?}", call);
            if let (None, Some(near)) = (found, table.nearest(&mut Reader::new(call, &table))) {
                let route = &configuration.routes[near.tried.route];
                let failed = near.tried.failed.expect("a condition that does not hold");
                prop_assert!(near.more < route.matchers.len());
                prop_assert!(route.matchers.iter().any(|matcher| matcher.name.eq_ignore_ascii_case(&failed.attribute)));
            }
            prop_assert_eq!(looked, walked, "looks behind the arguments exactly if a reader of the list must: {:?}", call);
        }
    }

    #[test]
    fn an_explanation_chooses_what_the_data_path_chooses(configuration in configurations(), call in calls()) {
        let table = Table::new(&configuration, &PROPERTIES).unwrap();
        let explanation = table.explain(&mut Reader::new(&call, &table));
        let (found, ..) = find(&table, &call);
        prop_assert_eq!(explanation.chosen, found);
        let last = found.map_or(configuration.routes.len(), |route| route + 1);
        prop_assert_eq!(explanation.tried.len(), last);
        for (number, tried) in explanation.tried.iter().enumerate() {
            prop_assert_eq!(tried.route, number);
            prop_assert_eq!(tried.failed.is_none(), found == Some(number));
        }
    }

    #[test]
    fn conditions_of_a_limit_hold_as_those_of_routes_do(
        limits in configurations(),
        configuration in configurations(),
        calls in prop::collection::vec(calls(), 8),
    ) {
        let bucket = TokenBucket { max_tokens: 1, tokens_per_fill: 1, fill_interval: Duration::from_secs(1) };
        let condition =
            |route: &Route| ConditionalBucket { matchers: route.matchers.clone(), bucket };
        let rate_limit =
            Some(RateLimit { conditions: limits.routes.iter().map(condition).collect(), default: None });
        let table = Table::new(&RouteConfiguration { rate_limit, ..configuration.clone() }, &PROPERTIES).unwrap();
        for call in &calls {
            let mut reader = Reader::new(call, &table);
            let (expected, _) = read_from_the_top(&limits, call);
            prop_assert_eq!(table.find_limit(&mut reader), expected, "{:?}", call);
            prop_assert_eq!(table.explain_limit(&mut Reader::new(call, &table)).chosen, expected);
            // One look at the request serves both.
            prop_assert_eq!(table.find(&mut reader), read_from_the_top(&configuration, call).0, "{:?}", call);
        }
        let expected = limits.routes.iter().position(|route| route.matchers.is_empty());
        prop_assert_eq!(table.find_unconditional_limit(), expected);
    }

    #[test]
    fn a_hidden_call_takes_the_first_route_without_conditions(configuration in configurations()) {
        let table = Table::new(&configuration, &PROPERTIES).unwrap();
        let expected = configuration.routes.iter().position(|route| route.matchers.is_empty());
        prop_assert_eq!(table.find_unconditional(), expected);
    }
}

#[test]
fn ten_thousand_exact_routes_cost_as_many_evaluations_as_one() {
    for attribute in ["method", "user"] {
        let table = |count: usize| {
            let route =
                |number| vec![exact(attribute, format!("v{number}")), exact("interface", "shop.Orders")];
            Table::new(&configuration((0..count).map(route).collect()), &PROPERTIES).unwrap()
        };
        let (one, many) = (table(1), table(10_000));
        for (number, of_one) in [(9_999, None), (0, Some(0))] {
            let value = format!("v{number}");
            let call = call("shop.Orders", &value, &[("user", &value)]);
            let (found, asked, _) = find(&many, &call);
            assert_eq!(found, Some(number));
            let (found, baseline, _) = find(&one, &call);
            assert_eq!(found, of_one);
            // A guard asks for the interface before the late look-up, and the route's own condition repeats it.
            assert!(asked <= baseline.max(2) + 1, "{attribute}: {asked} against {baseline}");
        }
        let (found, asked, _) = find(&many, &call("shop.Orders", "none", &[]));
        assert_eq!((found, asked <= 2), (None, true), "{attribute}: {asked}");
    }
}

#[test]
fn attachments_are_not_looked_at_unless_a_route_that_is_reached_needs_them() {
    let mut routes: Vec<_> =
        (0..100).map(|user| vec![exact("method", "submit"), exact("user", format!("v{user}"))]).collect();
    routes.insert(50, vec![exact("method", "status")]);
    routes.push(vec![]);
    let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
    let rows = [("status", Some(50), false), ("list", Some(101), false), ("submit", Some(100), true)];
    for (method, route, looked) in rows {
        let (found, asked, found_looked) = find(&table, &call("shop.Orders", method, &[("user", "v99")]));
        assert_eq!((found, found_looked), (route, looked), "{method}");
        assert!(asked <= 4, "{method}: {asked}");
    }
}

#[test]
fn of_attributes_with_nearly_as_many_values_the_cheap_one_is_the_index() {
    let route = |number: usize| {
        vec![exact("user", format!("v{number}")), exact("method", format!("v{}", number.min(94)))]
    };
    let table = Table::new(&configuration((0..100).map(route).collect()), &PROPERTIES).unwrap();
    let (found, asked, looked) = find(&table, &call("", "none", &[("user", "v1")]));
    assert_eq!((found, asked, looked), (None, 1, false));
}

#[test]
fn spellings_of_a_head_field_are_one_attribute_and_of_an_attachment_two() {
    let routes =
        vec![vec![exact("METHOD", "a"), exact("method", "a"), exact("Region", "eu"), exact("region", "us")]];
    let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
    let names: Vec<_> = table.wanted().iter().map(Attribute::name).collect();
    assert_eq!(names, ["METHOD", "Region", "region"]);
    assert_eq!(find(&table, &call("", "a", &[("region", "us"), ("Region", "eu")])).0, Some(0));
    assert_eq!(find(&table, &call("", "a", &[("region", "us")])).0, None);
}

#[test]
fn an_explanation_says_what_failed_and_what_was_needed() {
    let not = |name: &str, value| AttributeMatcher { name: name.to_owned(), matcher: Matcher::Not(value) };
    let regex = ValueMatcher::Regex("v[0-9]+".to_owned());
    let routes = vec![
        vec![exact("user", "v7"), exact("method", "submit")],
        vec![exact("Region", "eu")],
        vec![not("method", ValueMatcher::Prefix("sta".to_owned()))],
        vec![AttributeMatcher { name: "user".to_owned(), matcher: Matcher::Is(regex) }],
        vec![not("user", ValueMatcher::Present(true))],
        vec![],
        vec![],
    ];
    let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
    let call = call("shop.Orders", "status", &[("user", "nobody")]);
    let explanation = table.explain(&mut Reader::new(&call, &table));
    let expected = r#"routes[0] "r0": method is "status", needs exact "submit"
routes[1] "r1": Region is missing, needs exact "eu"
routes[2] "r2": method is "status", needs not prefix "sta"
routes[3] "r3": user is "nobody", needs regex "v[0-9]+"
routes[4] "r4": user is "nobody", needs not present: true
routes[5] "r5": matches
"#;
    assert_eq!(explanation.to_string(), expected);
    let none = Table::new(&configuration(vec![]), &PROPERTIES).unwrap();
    assert_eq!(none.explain(&mut Reader::new(&call, &none)).to_string(), "no route matches\n");
    assert!(none.is_empty());
}

#[test]
fn a_long_value_is_shown_in_part() {
    let table = Table::new(&configuration(vec![vec![exact("user", "v")]]), &PROPERTIES).unwrap();
    let call = call("", "", &[("user", &"ä".repeat(500))]);
    let text = table.explain(&mut Reader::new(&call, &table)).to_string();
    assert!(
        text.starts_with(&format!("routes[0] \"r0\": user is \"{}\"…, needs", "ä".repeat(200))),
        "{text}"
    );
}

#[test]
fn a_regex_that_does_not_compile_names_its_route_and_matcher() {
    let broken = AttributeMatcher {
        name: "user".to_owned(),
        matcher: Matcher::Not(ValueMatcher::Regex("(".to_owned())),
    };
    let error = Table::new(&configuration(vec![vec![], vec![exact("method", "a"), broken]]), &PROPERTIES)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "routes[1].matchers[1]: the regular expression does not compile: unclosed group (column 1)"
    );
}

#[test]
fn a_clone_answers_as_its_original_and_shares_what_was_compiled() {
    let regex = ValueMatcher::Regex("v.".to_owned());
    let routes = vec![vec![AttributeMatcher { name: "user".to_owned(), matcher: Matcher::Is(regex) }]];
    let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
    let clone = table.clone();
    assert!(std::ptr::eq(clone.wanted(), table.wanted()));
    assert_eq!(find(&clone, &call("", "", &[("user", "v1")])).0, Some(0));
}

#[test]
fn a_request_may_be_sent_several_times_where_one_of_the_lists_holds() {
    let retries = |idempotent| Some(Retries { attempts: 1, per_try_timeout: None, idempotent });
    let mut configuration = configuration(vec![vec![]; 4]);
    let [_, any, by_method, by_both] = configuration.routes.as_mut_slice() else { panic!("four routes") };
    any.retries = retries(vec![vec![exact("method", "put")], vec![]]);
    by_method.retries = retries(vec![vec![exact("method", "get")], vec![exact("Method", "find")]]);
    let regex = |source: &str| Matcher::Is(ValueMatcher::Regex(source.to_owned()));
    let zone = AttributeMatcher { name: "zone".to_owned(), matcher: regex("v1.*") };
    by_both.retries = retries(vec![vec![zone, exact("method", "get")]]);
    let table = Table::new(&configuration, &PROPERTIES).unwrap();
    let rows = [
        ("put", "v1", [false, true, false, false], false),
        ("get", "v1", [false, true, true, true], true),
        ("get", "v2", [false, true, true, false], true),
        ("find", "v1", [false, true, true, false], false),
    ];
    for (method, zone, expected, walks) in rows {
        let call = call("i", method, &[("zone", zone)]);
        let mut reader = Reader::new(&call, &table);
        let may_repeat = [0, 1, 2, 3].map(|route| table.may_repeat(route, &mut reader));
        assert_eq!(may_repeat, expected, "{method} {zone}");
        assert_eq!(reader.found.is_some(), walks, "looks behind the arguments only where the head fits");
    }
    assert_eq!([0, 1, 2, 3].map(|route| table.may_repeat_unseen(route)), [false, true, false, false]);
    assert!(!table.may_repeat(9, &mut Reader::new(&call("i", "get", &[]), &table)));
}

/// The nearest route to a call that none matches, in words, and how many values were asked for.
fn nearest(table: &Table, call: &Call) -> (String, usize, bool) {
    let mut reader = Reader::new(call, table);
    assert_eq!(table.find(&mut Reader::new(call, table)), None);
    let near = table.nearest(&mut reader).map_or_else(String::new, |near| near.to_string());
    (near, reader.asked, reader.found.is_some())
}

#[test]
fn the_nearest_route_is_the_one_of_which_the_most_holds() {
    let tables = [
        vec![vec![exact("method", "a")], vec![exact("interface", "i"), exact("method", "b")]],
        vec![vec![exact("interface", "i"), exact("method", "a"), exact("method", "c")]],
        vec![vec![exact("method", "a"), exact("interface", "j")], vec![exact("method", "b")]],
        vec![vec![exact("method", "a")], vec![exact("method", "b")]],
        vec![
            vec![exact("interface", "i"), exact("zone", "eu")],
            vec![exact("method", "a"), exact("zone", "x")],
        ],
        vec![],
    ];
    let expected = [
        r#"routes[1] "r1": method is "get", needs exact "b""#,
        r#"routes[0] "r0": method is "get", needs exact "a", and 1 more condition does not hold"#,
        r#"routes[1] "r1": method is "get", needs exact "b""#,
        r#"routes[0] "r0": method is "get", needs exact "a""#,
        r#"routes[0] "r0": zone is missing, needs exact "eu""#,
        "",
    ];
    for (routes, expected) in tables.into_iter().zip(expected) {
        let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
        assert_eq!(nearest(&table, &call("i", "get", &[])).0, expected);
    }
}

#[test]
fn the_nearest_of_many_is_looked_for_where_the_index_leads_and_no_further_than_the_limit() {
    let mut routes: Vec<_> = (0..10_000)
        .map(|number| vec![exact("method", format!("m{number}")), exact("version", "1")])
        .collect();
    routes[7000].push(exact("interface", "other"));
    let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
    let (near, asked, _) = nearest(&table, &call("i", "m9000", &[("version", "2")]));
    assert_eq!(near, r#"routes[9000] "r9000": version is "2", needs exact "1""#);
    assert!(asked <= NEAREST_LIMIT + 2, "{asked} values were asked for");
    let (near, asked, looked) = nearest(&table, &call("i", "none", &[("version", "2")]));
    assert_eq!(near, r#"routes[0] "r0": method is "none", needs exact "m0""#);
    assert!(asked <= NEAREST_LIMIT + 2 && !looked, "{asked} values were asked for");
    let (near, _, looked) = nearest(&table, &call("i", "m7000", &[("version", "1")]));
    assert_eq!(near, r#"routes[7000] "r7000": interface is "i", needs exact "other""#);
    assert!(!looked, "nothing behind the arguments matters where the head does not match");
}

#[test]
fn an_explanation_names_a_thousand_routes_and_counts_the_others() {
    let routes = (0..3000).map(|number| vec![exact("method", format!("m{number}"))]).collect();
    let table = Table::new(&configuration(routes), &PROPERTIES).unwrap();
    let call = call("i", "m2500", &[]);
    let explanation = table.explain(&mut Reader::new(&call, &table));
    assert_eq!(
        (explanation.tried.len(), explanation.more, explanation.chosen),
        (TRIED_LIMIT + 1, 1500, Some(2500))
    );
    let text = explanation.to_string();
    assert!(
        text.ends_with("\n… and 1500 more that do not match\nroutes[2500] \"r2500\": matches\n"),
        "{text}"
    );
}
