//! Names of the protocols that every build of the proxy speaks.
//!
//! The controller may not look into the proxy, so the names that are always registered stand here; a test of
//! `metactl` compares this list with the codecs that are linked. Further names come from `ApplicationProtocol` objects.

/// The built-in protocols, in the order in which documentation lists them.
pub const BUILT_IN: &[&str] = &["dubbo", "thrift", "redis"];

/// What `ApplicationProtocol.spec.codec` calls a built-in codec: Aeraki's names for them.
pub fn codec_name(protocol: &str) -> String {
    format!("aeraki.meta_protocol.codec.{protocol}")
}
