//! The two planes agree on what neither may ask of the other.

use codec_api::Protocol;
use codec_dubbo::Dubbo;
use codec_redis::Redis;
use codec_thrift::Thrift;

#[test]
fn the_names_that_the_control_plane_takes_for_built_in_are_the_codecs_of_this_build() {
    let linked = [Dubbo.name(), Thrift.name(), Redis.name()];
    assert_eq!(xds::protocols::BUILT_IN, linked);
}

#[test]
fn both_planes_have_the_same_limits_for_regular_expressions() {
    use controller::translate as control;
    use meta_proxy::route as proxy;
    assert_eq!(control::REGEX_LENGTH_LIMIT, proxy::REGEX_LENGTH_LIMIT);
    assert_eq!(control::REGEX_NEST_LIMIT, proxy::REGEX_NEST_LIMIT);
    assert_eq!(control::REGEX_SIZE_LIMIT, proxy::REGEX_SIZE_LIMIT);
}

#[test]
fn both_planes_have_the_same_limits_for_rate_limits() {
    use controller::translate as control;
    use meta_proxy::xds as proxy;
    assert_eq!(control::CONDITIONS_LIMIT, proxy::LIMIT_CONDITIONS_LIMIT);
    assert_eq!(control::FILL_INTERVAL_FLOOR, proxy::FILL_INTERVAL_FLOOR);
    assert_eq!(control::FILL_INTERVAL_LIMIT, proxy::DURATION_LIMIT);
}

#[test]
fn both_planes_have_the_same_limits_for_rings_and_tables() {
    use controller::translate as control;
    use meta_proxy::upstream as proxy;
    assert_eq!(control::RING_SIZE_LIMIT, proxy::RING_LIMIT as u64);
    assert_eq!(control::TABLE_SIZE_LIMIT, u64::from(proxy::MAGLEV_TABLE_LIMIT));
}

#[test]
fn both_planes_have_the_same_limits_for_health_checks() {
    use controller::translate as control;
    use meta_proxy::xds as proxy;
    assert_eq!(control::SHORTEST_CHECK_INTERVAL, proxy::SHORTEST_CHECK_INTERVAL);
    assert_eq!(control::LONGEST_CHECK_INTERVAL, proxy::LONGEST_CHECK_INTERVAL);
}
