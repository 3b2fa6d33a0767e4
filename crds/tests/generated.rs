//! The committed definitions are what the types say, and so are those that the chart installs.

use std::path::Path;

#[test]
fn committed_definitions_are_current() {
    let update = std::env::var_os("UPDATE").is_some();
    for folder in ["yaml", "../deploy/chart/crds"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
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
        let files = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(files, crds::definitions().len(), "{} holds others as well", folder.display());
    }
}
