//! The committed definitions are what the types say.

use std::path::Path;

#[test]
fn committed_definitions_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let update = std::env::var_os("UPDATE").is_some();
    for definition in crds::definitions() {
        let path = folder.join(definition.file_name());
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, definition.yaml()).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == definition.yaml(),
            "{} is stale: run UPDATE=1 cargo test -p crds",
            path.display()
        );
    }
}
