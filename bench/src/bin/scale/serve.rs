//! The controller of the measurement: its objects are made here, and one of them changes when a line says so.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use controller::ads::{self, ServeOptions};
use controller::object::{AnyObject, Key};
use controller::source::{Batch, Extent, Source, folder};
use controller::{Controller, Options, Status};
use tokio::sync::{mpsc, watch};

use crate::mesh::Mesh;

struct InProcess(mpsc::Receiver<Batch>);

impl Source for InProcess {
    async fn next(&mut self) -> Option<Batch> {
        self.0.recv().await
    }

    fn report(&mut self, status: &Status) {
        if let Some(diagnostic) = status.diagnostics.first() {
            eprintln!("scale: {diagnostic}");
        }
    }
}

/// Serves until its input ends.
pub fn serve(mesh: Mesh) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut objects = BTreeMap::new();
        for first in (0..mesh.services).step_by(1000) {
            let services = first..mesh.services.min(first + 1000);
            let texts = services.flat_map(|service| [mesh.service(service), Mesh::router(service, 0)]);
            objects.extend(read(&texts.collect::<Vec<_>>().join("---\n"))?);
        }
        let (batches, batches_out) = mpsc::channel(1);
        let mut following = Controller::follow(InProcess(batches_out), &Options::default());
        let batch = |objects: BTreeMap<Key, AnyObject>, extent| Batch {
            objects: objects.into_values().collect(),
            extent,
            ..Batch::default()
        };
        batches.send(batch(objects, Extent::Whole)).await?;
        following.catalogue.wait_for(Option::is_some).await?;
        let (_stop, stopped) = watch::channel(false);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ServeOptions { address, tls: None, streams: ads::STREAMS_LIMIT, drain: Duration::ZERO };
        let registry = Arc::clone(&following.registry);
        let (address, _) = ads::serve(options, following.catalogue.clone(), registry, stopped).await?;
        println!("{address}");
        let (lines, mut read_lines) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if lines.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        let mut version = 0;
        while let Some(line) = read_lines.recv().await {
            version += 1;
            // As an API server's watch tells it.
            let changed = read(&Mesh::router(line.parse()?, version))?;
            following.catalogue.mark_unchanged();
            let began = Instant::now();
            batches.send(batch(changed, Extent::Changes { gone: Vec::new() })).await?;
            following.catalogue.changed().await?;
            println!("{}", began.elapsed().as_micros());
        }
        Ok(())
    })
}

/// Objects as they are read of a file.
fn read(text: &str) -> anyhow::Result<BTreeMap<Key, AnyObject>> {
    let folder = tempfile::tempdir()?;
    let path: PathBuf = folder.path().join("objects.yaml");
    std::fs::write(&path, text)?;
    let batch = folder::read_once(&[path])?;
    let first = batch.diagnostics.first().map(ToString::to_string);
    anyhow::ensure!(first.is_none(), "{}", first.context("a diagnostic")?);
    Ok(batch.objects.into_iter().map(|object| (object.key().clone(), object)).collect())
}
