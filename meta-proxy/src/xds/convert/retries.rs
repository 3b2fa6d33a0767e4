//! `metaproxy.v1.Retries`, a part of a route.

use ::xds::v1;

use crate::model;
use crate::xds::convert::read::positive_duration;
use crate::xds::convert::routes::Reader;

/// Tries that may follow the first one.
pub const ATTEMPTS_LIMIT: u32 = 10;
/// Kinds of requests that a route may list as idempotent.
pub const IDEMPOTENT_LIMIT: usize = 64;

impl Reader<'_> {
    /// Reads a route's retries.
    pub(super) fn retries(&mut self, message: v1::Retries, at: &str) -> Option<model::Retries> {
        let attempts = message.attempts;
        if !(1..=ATTEMPTS_LIMIT).contains(&attempts) {
            let text = format!("must be from 1 to {ATTEMPTS_LIMIT}, not {attempts}");
            self.mistakes.add(format_args!("{at}.attempts"), text);
        }
        let field = format!("{at}.per_try_timeout");
        let per_try_timeout = positive_duration(message.per_try_timeout, &field, self.mistakes);
        let idempotent = self.idempotent(message.idempotent, &format!("{at}.idempotent"))?;
        Some(model::Retries { attempts, per_try_timeout, idempotent })
    }

    fn idempotent(
        &mut self,
        messages: Vec<v1::Requests>,
        at: &str,
    ) -> Option<Vec<Vec<model::AttributeMatcher>>> {
        match messages.len() {
            0 => self.mistakes.add(at, "must say which requests may be sent several times; `{}` is any"),
            1..=IDEMPOTENT_LIMIT => {
                let read = messages
                    .into_iter()
                    .enumerate()
                    .map(|(index, requests)| self.matchers(requests.attributes, &format!("{at}[{index}]")));
                // All are read, for the sake of their mistakes.
                return read.collect::<Vec<_>>().into_iter().collect();
            }
            count => {
                let text = format!("lists {count} kinds of requests; at most {IDEMPOTENT_LIMIT} are allowed");
                self.mistakes.add(at, text);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::xds::envoy::google::protobuf;
    use ::xds::v1::attribute_matcher::Matcher::{Exact, Regex};
    use ::xds::{Resource, ResourceType, v1};

    use crate::model::{AttributeMatcher, Matcher, Retries, ValueMatcher};
    use crate::xds::convert::Converted;
    use crate::xds::convert::retries::{ATTEMPTS_LIMIT, IDEMPOTENT_LIMIT};
    use crate::xds::fixtures::{convert_good, matcher, refused, resource, route, routes, seconds};

    fn with(retries: v1::Retries) -> Resource {
        let route = v1::Route { retries: Some(retries), ..route("first", &[("c", 100)]) };
        resource(ResourceType::Routes, "r", &routes("r", vec![route]))
    }

    fn of(attributes: Vec<v1::AttributeMatcher>) -> v1::Requests {
        v1::Requests { attributes }
    }

    fn good() -> v1::Retries {
        v1::Retries { attempts: 2, per_try_timeout: seconds(3), idempotent: vec![of(vec![])] }
    }

    fn read(retries: v1::Retries) -> Option<Retries> {
        let Converted::Routes(routes) = convert_good(&with(retries)) else { panic!("not routes") };
        routes.model.routes[0].retries.clone()
    }

    #[test]
    fn good_retries_are_read_whole() {
        let any =
            Retries { attempts: 2, per_try_timeout: Some(Duration::from_secs(3)), idempotent: vec![vec![]] };
        assert_eq!(read(good()), Some(any));
        let get = || of(vec![matcher("method", Exact("get".to_owned()))]);
        let several = v1::Retries {
            attempts: ATTEMPTS_LIMIT,
            per_try_timeout: None,
            idempotent: vec![get(), of(vec![matcher("Method", Regex("find.*".to_owned()))])],
        };
        let is = |name: &str, value| AttributeMatcher { name: name.to_owned(), matcher: Matcher::Is(value) };
        let expected = Retries {
            attempts: ATTEMPTS_LIMIT,
            per_try_timeout: None,
            idempotent: vec![
                vec![is("method", ValueMatcher::Exact("get".to_owned()))],
                vec![is("Method", ValueMatcher::Regex("find.*".to_owned()))],
            ],
        };
        assert_eq!(read(several), Some(expected));
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        let change = |change: fn(&mut v1::Retries)| {
            let mut retries = good();
            change(&mut retries);
            with(retries)
        };
        let rows = [
            (change(|it| it.attempts = 0), "routes[0].retries.attempts: must be from 1 to 10, not 0"),
            (change(|it| it.attempts = 11), "routes[0].retries.attempts: must be from 1 to 10, not 11"),
            (
                change(|it| it.per_try_timeout = seconds(0)),
                "routes[0].retries.per_try_timeout: must be longer than 0s",
            ),
            (
                change(|it| it.per_try_timeout = Some(protobuf::Duration { seconds: -1, nanos: 0 })),
                "routes[0].retries.per_try_timeout: -1 s and 0 ns is not a duration from 0s to 30 days",
            ),
            (
                change(|it| it.idempotent = vec![]),
                "routes[0].retries.idempotent: must say which requests may be sent several times; `{}` is any",
            ),
            (
                change(|it| it.idempotent = vec![of(vec![]); IDEMPOTENT_LIMIT + 1]),
                "routes[0].retries.idempotent: lists 65 kinds of requests; at most 64 are allowed",
            ),
            (
                change(|it| it.idempotent = vec![of(vec![]), of(vec![matcher("m", Regex("(".to_owned()))])]),
                "routes[0].retries.idempotent[1].attributes[0].regex: the regular expression does not compile: unclosed group \
                 (column 1)",
            ),
        ];
        for (resource, expected) in rows {
            refused(resource, &[expected]);
        }
    }
}
