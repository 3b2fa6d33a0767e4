//! The committed generated code is what the protocol buffers say.

use std::path::Path;

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors =
        protox::compile(["metaproxy/v1/proxy.proto", "metaproxy/v1/discovery.proto"], [root.join("proto")])
            .unwrap();
    let out = tempfile::tempdir().unwrap();
    prost_build::Config::new()
        .out_dir(out.path())
        .compile_well_known_types()
        .enable_type_names()
        .type_name_domain(["."], "type.googleapis.com")
        .extern_path(".google.protobuf", "::envoy_types::pb::google::protobuf")
        .compile_fds(descriptors)
        .unwrap();
    let fresh = std::fs::read_to_string(out.path().join("metaproxy.v1.rs")).unwrap();
    let committed_path = root.join("src/generated/metaproxy.v1.rs");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&committed_path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&committed_path).unwrap();
    assert!(committed == fresh, "xds/src/generated is stale: run UPDATE=1 cargo test -p xds");
}
