//! `metaproxy.v1.RouteConfiguration`.

use std::collections::HashMap;

use ::xds::Resource;
use ::xds::v1::{self, attribute_matcher, value_matcher};

use crate::model::{self, Matcher, RouteAction, ValueMatcher};
use crate::route::Regexes;
use crate::xds::Routes;
use crate::xds::convert::mistakes::Mistakes;
use crate::xds::convert::read::{check_name, decode_body, duration};

/// Routes that one configuration may have.
pub const ROUTES_LIMIT: usize = 100_000;
/// Attribute matchers that one route may have.
pub const MATCHERS_PER_ROUTE_LIMIT: usize = 64;
/// Clusters that one route may share its requests out to.
pub const CLUSTERS_PER_ROUTE_LIMIT: usize = 100;

/// Attributes that one route may set in a request, and in a response.
pub const MUTATIONS_PER_ROUTE_LIMIT: usize = 1000;
/// Bytes of the name of such an attribute.
pub const MUTATION_NAME_LIMIT: usize = 256;
/// Bytes of its value.
pub const MUTATION_VALUE_LIMIT: usize = 16 * 1024;

/// Converts a route configuration and compiles its regular expressions.
pub(crate) fn convert(resource: &Resource, mistakes: &mut Mistakes) -> Option<Routes> {
    let message: v1::RouteConfiguration = decode_body(resource, mistakes)?;
    check_name(resource, "name", &message.name, mistakes);
    if message.routes.len() > ROUTES_LIMIT {
        let count = message.routes.len();
        mistakes.add("routes", format!("holds {count} routes; at most {ROUTES_LIMIT} are allowed"));
        return None;
    }
    let mut reader = Reader { regexes: Regexes::default(), mistakes };
    let routes = message.routes.into_iter().enumerate();
    let read: Vec<_> =
        routes.map(|(index, message)| reader.route(message, &format!("routes[{index}]"))).collect();
    let rate_limit = message.local_rate_limit.map(|limit| reader.rate_limit(limit));
    let model = model::RouteConfiguration {
        name: message.name,
        routes: read.into_iter().collect::<Option<_>>()?,
        rate_limit: rate_limit.map_or(Some(None), |limit| limit.map(Some))?,
    };
    Some(Routes::new(model, reader.regexes))
}

/// Reads one route configuration.
pub(super) struct Reader<'a> {
    regexes: Regexes,
    pub(super) mistakes: &'a mut Mistakes,
}

impl Reader<'_> {
    fn route(&mut self, message: v1::Route, at: &str) -> Option<model::Route> {
        let matchers = self.matchers(message.attributes, at);
        let action = self.action(message.clusters, message.misconfigured, at);
        let mirror = message.mirror.map(|mirror| self.mirror(mirror, at));
        let timeout = duration(message.timeout, format_args!("{at}.timeout"), self.mistakes);
        let request_mutation = self.mutation(message.request_mutation, &format!("{at}.request_mutation"));
        let response_mutation = self.mutation(message.response_mutation, &format!("{at}.response_mutation"));
        let retries = message.retries.map(|retries| self.retries(retries, &format!("{at}.retries")));
        Some(model::Route {
            name: message.name,
            matchers: matchers?,
            action: action?,
            mirror,
            timeout,
            request_mutation: request_mutation?,
            response_mutation: response_mutation?,
            retries: retries.map_or(Some(None), |retries| retries.map(Some))?,
        })
    }

    fn mutation(&mut self, messages: Vec<v1::SetAttribute>, at: &str) -> Option<Vec<(String, String)>> {
        if messages.len() > MUTATIONS_PER_ROUTE_LIMIT {
            let count = messages.len();
            let message = format!("sets {count} attributes; at most {MUTATIONS_PER_ROUTE_LIMIT} are allowed");
            self.mistakes.add(at, message);
            return None;
        }
        let mut seen = HashMap::new();
        for (index, set) in messages.iter().enumerate() {
            if set.name.is_empty() {
                self.mistakes.add(format_args!("{at}[{index}].name"), "must not be empty");
            } else if let Some(first) = seen.insert(set.name.to_ascii_lowercase(), index) {
                let message =
                    format!("[{first}] sets {:?} too: names are the same whatever their case", set.name);
                self.mistakes.add(format_args!("{at}[{index}].name"), message);
            }
            if set.name.len() > MUTATION_NAME_LIMIT {
                let message = format!("is longer than {MUTATION_NAME_LIMIT} bytes");
                self.mistakes.add(format_args!("{at}[{index}].name"), message);
            }
            if set.value.len() > MUTATION_VALUE_LIMIT {
                let message = format!("is longer than {MUTATION_VALUE_LIMIT} bytes");
                self.mistakes.add(format_args!("{at}[{index}].value"), message);
            }
        }
        Some(messages.into_iter().map(|set| (set.name, set.value)).collect())
    }

    pub(super) fn matchers(
        &mut self,
        messages: Vec<v1::AttributeMatcher>,
        at: &str,
    ) -> Option<Vec<model::AttributeMatcher>> {
        if messages.len() > MATCHERS_PER_ROUTE_LIMIT {
            let count = messages.len();
            let message = format!("holds {count} matchers; at most {MATCHERS_PER_ROUTE_LIMIT} are allowed");
            self.mistakes.add(format_args!("{at}.attributes"), message);
            return None;
        }
        let mut seen = HashMap::new();
        let mut read = Vec::with_capacity(messages.len());
        for (index, message) in messages.into_iter().enumerate() {
            let at = format!("{at}.attributes[{index}]");
            if message.name.is_empty() {
                self.mistakes.add(format_args!("{at}.name"), "must not be empty");
            } else if let Some(first) = seen.insert(message.name.to_ascii_lowercase(), index) {
                let name = &message.name;
                let message = format!(
                    "attributes[{first}] is about {name:?} too: names are the same whatever their case"
                );
                self.mistakes.add(format_args!("{at}.name"), message);
            }
            let matcher = self.matcher(message.matcher, &at);
            read.push(matcher.map(|matcher| model::AttributeMatcher { name: message.name, matcher }));
        }
        read.into_iter().collect()
    }

    fn matcher(&mut self, message: Option<attribute_matcher::Matcher>, at: &str) -> Option<Matcher> {
        use attribute_matcher::Matcher as Outer;
        use value_matcher::Matcher as Inner;

        let inner = match message {
            Some(Outer::Exact(value)) => Inner::Exact(value),
            Some(Outer::Prefix(value)) => Inner::Prefix(value),
            Some(Outer::Regex(value)) => Inner::Regex(value),
            Some(Outer::Present(value)) => Inner::Present(value),
            Some(Outer::Not(v1::ValueMatcher { matcher: Some(inner) })) => {
                return self.value_matcher(inner, &format!("{at}.not")).map(Matcher::Not);
            }
            Some(Outer::Not(v1::ValueMatcher { matcher: None })) => {
                self.mistakes
                    .add(format_args!("{at}.not"), "must set one of exact, prefix, regex and present");
                return None;
            }
            None => {
                self.mistakes.add(at, "must set one of exact, prefix, regex, present and not");
                return None;
            }
        };
        self.value_matcher(inner, at).map(Matcher::Is)
    }

    fn value_matcher(&mut self, message: value_matcher::Matcher, at: &str) -> Option<ValueMatcher> {
        Some(match message {
            // An empty value means that there is one.
            value_matcher::Matcher::Exact(value) if value.is_empty() => ValueMatcher::Present(true),
            value_matcher::Matcher::Exact(value) => ValueMatcher::Exact(value),
            value_matcher::Matcher::Prefix(value) => ValueMatcher::Prefix(value),
            value_matcher::Matcher::Regex(source) => match self.regexes.compile(&source) {
                Ok(_) => ValueMatcher::Regex(source),
                Err(reason) => {
                    self.mistakes.add(format_args!("{at}.regex"), reason);
                    return None;
                }
            },
            value_matcher::Matcher::Present(present) => ValueMatcher::Present(present),
        })
    }

    fn action(
        &mut self,
        clusters: Vec<v1::WeightedCluster>,
        misconfigured: String,
        at: &str,
    ) -> Option<RouteAction> {
        let field = format!("{at}.clusters");
        match (clusters.len(), misconfigured.is_empty()) {
            (0, true) => self.mistakes.add(field, "must hold a cluster, or `misconfigured` must say why not"),
            (0, false) => return Some(RouteAction::Misconfigured(misconfigured)),
            (_, false) => self.mistakes.add(field, "must be empty where `misconfigured` is set"),
            (1..=CLUSTERS_PER_ROUTE_LIMIT, true) => return self.clusters(clusters, &field),
            (count, true) => {
                let message =
                    format!("holds {count} clusters; at most {CLUSTERS_PER_ROUTE_LIMIT} are allowed");
                self.mistakes.add(field, message);
            }
        }
        None
    }

    fn clusters(&mut self, messages: Vec<v1::WeightedCluster>, field: &str) -> Option<RouteAction> {
        for (index, _) in messages.iter().enumerate().filter(|(_, cluster)| cluster.name.is_empty()) {
            self.mistakes.add(format_args!("{field}[{index}].name"), "must not be empty");
        }
        let alone = messages.len() == 1;
        let sum: u64 = messages.iter().map(|cluster| u64::from(cluster.weight)).sum();
        if !alone && sum != 100 {
            self.mistakes.add(field, format!("weights sum to {sum}; they must sum to 100"));
            return None;
        }
        // Alone it gets every request, whatever its weight says.
        let weight = |message: &v1::WeightedCluster| if alone { 100 } else { message.weight };
        let read = messages.into_iter().map(|message| {
            let weight = weight(&message);
            model::WeightedCluster { name: message.name, weight }
        });
        Some(RouteAction::Clusters(read.collect()))
    }

    fn mirror(&mut self, message: v1::Mirror, at: &str) -> model::Mirror {
        if message.cluster.is_empty() {
            self.mistakes.add(format_args!("{at}.mirror.cluster"), "must not be empty");
        }
        if !(1..=1_000_000).contains(&message.millionths) {
            let text = format!("{} is not a share from 1 to 1000000 millionths", message.millionths);
            self.mistakes.add(format_args!("{at}.mirror.millionths"), text);
        }
        model::Mirror {
            cluster: message.cluster,
            millionths: message.millionths,
            writes_only: message.writes_only,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::xds::v1::attribute_matcher::Matcher::{Exact, Not, Prefix, Present, Regex};
    use ::xds::v1::{self, value_matcher};
    use ::xds::{Resource, ResourceType};

    use crate::model::{self, Matcher, RouteAction, ValueMatcher, WeightedCluster};
    use crate::xds::convert::Converted;
    use crate::xds::convert::routes::{
        CLUSTERS_PER_ROUTE_LIMIT, MATCHERS_PER_ROUTE_LIMIT, MUTATION_VALUE_LIMIT, MUTATIONS_PER_ROUTE_LIMIT,
        ROUTES_LIMIT,
    };
    use crate::xds::fixtures::{convert_good, matcher, refused, resource, route, routes, seconds};

    fn with_routes(list: Vec<v1::Route>) -> Resource {
        resource(ResourceType::Routes, "r", &routes("r", list))
    }

    fn with_route(change: impl FnOnce(&mut v1::Route)) -> Resource {
        let mut message = route("first", &[("c", 100)]);
        change(&mut message);
        with_routes(vec![message])
    }

    fn with_matchers(attributes: Vec<v1::AttributeMatcher>) -> Resource {
        with_route(|route| route.attributes = attributes)
    }

    fn not(matcher: value_matcher::Matcher) -> v1::attribute_matcher::Matcher {
        Not(v1::ValueMatcher { matcher: Some(matcher) })
    }

    fn good(resource: &Resource) -> Vec<model::Route> {
        let Converted::Routes(routes) = convert_good(resource) else { panic!("not routes") };
        assert_eq!(routes.model.name, "r");
        routes.model.routes.clone()
    }

    #[test]
    fn a_mutation_names_each_attribute_once_and_within_bounds() {
        let set = |name: &str, length| v1::SetAttribute { name: name.to_owned(), value: "v".repeat(length) };
        let with = |list: Vec<_>| with_route(|route| route.request_mutation = list);
        let read = good(&with(vec![set("colour", 3)]));
        assert_eq!(read[0].request_mutation, [("colour".to_owned(), "vvv".to_owned())]);
        refused(
            with(vec![set("", 1), set("a", 1), set("A", MUTATION_VALUE_LIMIT + 1), set(&"n".repeat(257), 1)]),
            &[
                "routes[0].request_mutation[0].name: must not be empty",
                "routes[0].request_mutation[2].name: [1] sets \"A\" too: names are the same whatever their case",
                "routes[0].request_mutation[2].value: is longer than 16384 bytes",
                "routes[0].request_mutation[3].name: is longer than 256 bytes",
            ],
        );
        let many = (0..=MUTATIONS_PER_ROUTE_LIMIT).map(|n| set(&n.to_string(), 1)).collect();
        refused(
            with_route(|route| route.response_mutation = many),
            &["routes[0].response_mutation: sets 1001 attributes; at most 1000 are allowed"],
        );
    }

    #[test]
    fn good_routes_are_read_whole_and_in_order() {
        let mut canary = route("canary", &[("v1", 90), ("v2", 10)]);
        let mirror =
            |writes_only| v1::Mirror { cluster: "v3".to_owned(), millionths: 1_000_000, writes_only };
        canary.mirror = Some(mirror(true));
        canary.timeout = seconds(0);
        let broken = v1::Route { misconfigured: "no subset v9".to_owned(), ..Default::default() };
        let whole = v1::Route { mirror: Some(mirror(false)), ..route("whole", &[("v1", 1)]) };
        let read = good(&with_routes(vec![canary, broken, route("rest", &[("v1", 0)]), whole]));
        let cluster = |name: &str, weight| WeightedCluster { name: name.to_owned(), weight };
        assert_eq!(read[0].action, RouteAction::Clusters(vec![cluster("v1", 90), cluster("v2", 10)]));
        let mirror =
            |writes_only| model::Mirror { cluster: "v3".to_owned(), millionths: 1_000_000, writes_only };
        assert_eq!((&read[0].mirror, &read[3].mirror), (&Some(mirror(true)), &Some(mirror(false))));
        assert_eq!(read[0].timeout, Some(Duration::ZERO));
        assert_eq!(read[1].action, RouteAction::Misconfigured("no subset v9".to_owned()));
        assert_eq!(
            read[2].action,
            RouteAction::Clusters(vec![cluster("v1", 100)]),
            "alone it gets everything"
        );
        assert_eq!((read[2].name.as_str(), &read[2].mirror, read[2].timeout), ("rest", &None, None));
    }

    #[test]
    fn every_kind_of_matcher_is_read() {
        let rows = [
            (Exact("v".to_owned()), Matcher::Is(ValueMatcher::Exact("v".to_owned()))),
            (Exact(String::new()), Matcher::Is(ValueMatcher::Present(true))),
            (Prefix("v".to_owned()), Matcher::Is(ValueMatcher::Prefix("v".to_owned()))),
            (Regex("v.*".to_owned()), Matcher::Is(ValueMatcher::Regex("v.*".to_owned()))),
            (Present(false), Matcher::Is(ValueMatcher::Present(false))),
            (not(value_matcher::Matcher::Exact(String::new())), Matcher::Not(ValueMatcher::Present(true))),
            (
                not(value_matcher::Matcher::Regex("v".to_owned())),
                Matcher::Not(ValueMatcher::Regex("v".to_owned())),
            ),
        ];
        for (message, expected) in rows {
            let read = good(&with_matchers(vec![matcher("Method", message)]));
            assert_eq!(
                read[0].matchers,
                [model::AttributeMatcher { name: "Method".to_owned(), matcher: expected }]
            );
        }
    }

    #[test]
    fn a_matcher_says_what_must_hold_of_what() {
        let at = "routes[0].attributes[0]";
        let empty = v1::AttributeMatcher { name: "a".to_owned(), matcher: None };
        let expected = format!("{at}: must set one of exact, prefix, regex, present and not");
        refused(with_matchers(vec![empty]), &[&expected]);
        let expected = format!("{at}.not: must set one of exact, prefix, regex and present");
        refused(with_matchers(vec![matcher("a", Not(v1::ValueMatcher::default()))]), &[&expected]);
        refused(with_matchers(vec![matcher("", Present(true))]), &[&format!("{at}.name: must not be empty")]);
        let unclosed = "the regular expression does not compile: unclosed group (column 1)";
        refused(
            with_matchers(vec![
                matcher("a", Regex("(".to_owned())),
                matcher("b", not(value_matcher::Matcher::Regex("(".to_owned()))),
            ]),
            &[&format!("{at}.regex: {unclosed}"), &format!("routes[0].attributes[1].not.regex: {unclosed}")],
        );
        let twice = vec![matcher("Region", Present(true)), matcher("region", Exact("eu".to_owned()))];
        let expected = "routes[0].attributes[1].name: attributes[0] is about \"region\" too: names are the same \
                        whatever their case";
        refused(with_matchers(twice), &[expected]);
    }

    #[test]
    fn a_route_has_clusters_or_says_why_not() {
        let with_clusters = |clusters: &[(&str, u32)]| with_routes(vec![route("a", clusters)]);
        let at = "routes[0].clusters";
        let expected = format!("{at}: must hold a cluster, or `misconfigured` must say why not");
        refused(with_clusters(&[]), &[&expected]);
        let expected = format!("{at}: must be empty where `misconfigured` is set");
        refused(with_route(|route| route.misconfigured = "why".to_owned()), &[&expected]);
        refused(
            with_clusters(&[("a", 60), ("b", 60)]),
            &[&format!("{at}: weights sum to 120; they must sum to 100")],
        );
        let overflow = format!("{at}: weights sum to 8589934590; they must sum to 100");
        refused(with_clusters(&[("a", u32::MAX), ("b", u32::MAX)]), &[&overflow]);
        refused(with_clusters(&[("a", 99), ("", 1)]), &[&format!("{at}[1].name: must not be empty")]);
    }

    #[test]
    fn a_mirror_gets_a_share_of_the_requests() {
        let mirror = |cluster: &str, millionths| {
            let mirror = v1::Mirror { cluster: cluster.to_owned(), millionths, writes_only: false };
            with_route(|route| route.mirror = Some(mirror))
        };
        let expected = [
            "routes[0].mirror.cluster: must not be empty",
            "routes[0].mirror.millionths: 0 is not a share from 1 to 1000000 millionths",
        ];
        refused(mirror("", 0), &expected);
        let expected = "routes[0].mirror.millionths: 1000001 is not a share from 1 to 1000000 millionths";
        refused(mirror("c", 1_000_001), &[expected]);
    }

    #[test]
    fn a_timeout_is_not_negative() {
        let expected = "routes[0].timeout: -2 s and 0 ns is not a duration from 0s to 30 days";
        refused(with_route(|route| route.timeout = seconds(-2)), &[expected]);
    }

    #[test]
    fn the_size_of_a_configuration_is_limited() {
        let many = vec![v1::Route::default(); ROUTES_LIMIT + 1];
        refused(with_routes(many), &["routes: holds 100001 routes; at most 100000 are allowed"]);
        let many = vec![matcher("a", Present(true)); MATCHERS_PER_ROUTE_LIMIT + 1];
        refused(with_matchers(many), &["routes[0].attributes: holds 65 matchers; at most 64 are allowed"]);
        let many = with_routes(vec![route("a", &[("c", 1); CLUSTERS_PER_ROUTE_LIMIT + 1])]);
        refused(many, &["routes[0].clusters: holds 101 clusters; at most 100 are allowed"]);
    }

    #[test]
    fn the_name_is_the_name_of_the_resource() {
        let resource = resource(ResourceType::Routes, "other", &routes("r", vec![]));
        refused(resource, &[r#"name: is "r", but the resource is called "other""#]);
    }
}
