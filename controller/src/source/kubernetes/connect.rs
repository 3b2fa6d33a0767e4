//! The client: where the API server is, and who we are to it.

use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::Options;
use super::status::Identity;
use crate::Error;

/// Time for a connection to an API server to come up.
const CONNECT: Duration = Duration::from_secs(5);

/// Letters of our name among the replicas.
const MAX_NAME: usize = 80;

/// Of a configuration file where one is named, else of what the environment says, else of the pod's service account.
pub(super) async fn client(options: &Options) -> Result<Client, Error> {
    let wrong = |reason: String| Error::Kubernetes(reason);
    let choice = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match &options.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| wrong(error.to_string()))?;
            Config::from_custom_kubeconfig(file, &choice).await.map_err(|error| wrong(error.to_string()))?
        }
        None if options.context.is_some() => {
            Config::from_kubeconfig(&choice).await.map_err(|error| wrong(error.to_string()))?
        }
        None => Config::infer().await.map_err(|error| wrong(error.to_string()))?,
    };
    config.connect_timeout = Some(CONNECT);
    Client::try_from(config).map_err(|error| wrong(error.to_string()))
}

/// Who we are among the replicas of a controller.
pub(super) fn identity(options: &Options, client: &Client) -> Identity {
    let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let by_process = || {
        let host = of("HOSTNAME").unwrap_or_else(|| "host".to_owned());
        format!("{host}-{}", std::process::id())
    };
    let name = options.identity.clone().or_else(|| of("POD_NAME")).unwrap_or_else(by_process);
    // It becomes a part of the name of a lease.
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(letter).take(MAX_NAME).collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    let namespace = of("POD_NAMESPACE").unwrap_or_else(|| client.default_namespace().to_owned());
    Identity { name, namespace }
}
