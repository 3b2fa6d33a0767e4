//! What a scenario does with an API server, in a namespace of its own.

use std::fmt::{Debug, Display};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, ValidationDirective,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::Server;
use crate::eventually::{eventually, soon};

/// Who has applied what scenarios apply.
const MANAGER: &str = "a-user";

/// Kinds without a namespace.
const CLUSTER_SCOPE: [&str; 7] = [
    "ApplicationProtocol",
    "Node",
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PersistentVolume",
];

static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// A namespace, and a client that may do everything.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
}

impl Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Cluster {
    /// A new namespace in the server that all scenarios share.
    pub async fn shared() -> Self {
        Self::of(Server::shared().await).await
    }

    /// A new namespace in a server.
    pub async fn of(server: &Server) -> Self {
        let namespace = format!("shop-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed));
        let cluster = Self { client: server.admin().await, namespace };
        cluster
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}}))
            .await;
        cluster
    }

    /// The same with a namespace of another name, which is made.
    pub async fn beside(&self, namespace: &str) -> Self {
        let cluster = Self { client: self.client.clone(), namespace: namespace.to_owned() };
        cluster
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
            .await;
        cluster
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Applies objects, as YAML or JSON. Those that say they are of the namespace `shop`, or of none, are of this one.
    pub async fn apply(&self, objects: impl Display) {
        if let Err(error) = self.try_apply(objects).await {
            panic!("{error}");
        }
    }

    /// Applies an object that is refused, and says how.
    pub async fn refusal(&self, object: impl Display) -> String {
        let text = object.to_string();
        match self.try_apply(&text).await {
            Err(refusal) => refusal,
            Ok(()) => panic!("the API server took it:\n{text}"),
        }
    }

    /// Applies objects, or says why the first of them that was refused was.
    pub async fn try_apply(&self, objects: impl Display) -> Result<(), String> {
        let text = objects.to_string();
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        for mut document in documents {
            let (kind, name) = (text_at(&document, "/kind"), text_at(&document, "/metadata/name"));
            if !CLUSTER_SCOPE.contains(&kind.as_str())
                && matches!(text_at(&document, "/metadata/namespace").as_str(), "" | "shop")
            {
                document["metadata"]["namespace"] = self.namespace.clone().into();
            }
            self.put(&document, &name, ValidationDirective::Warn).await?;
        }
        Ok(())
    }

    /// Applies an object as it is, where it says that it stands. A field that its kind does not have is refused.
    pub async fn apply_strictly(&self, object: &Value) -> Result<(), String> {
        self.put(object, &text_at(object, "/metadata/name"), ValidationDirective::Strict).await
    }

    async fn put(&self, object: &Value, name: &str, validation: ValidationDirective) -> Result<(), String> {
        let namespace = text_at(object, "/metadata/namespace");
        let api = self.api(&text_at(object, "/apiVersion"), &text_at(object, "/kind"), &namespace);
        let mut patch = PatchParams { force: true, ..PatchParams::apply(MANAGER) };
        patch.field_validation = Some(validation);
        let applied = soon("an object is applied", api.patch(name, &patch, &Patch::Apply(object))).await;
        applied.map(drop).map_err(|error| error.to_string())
    }

    /// Deletes an object.
    pub async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        let api = self.api(api_version, kind, &self.namespace);
        soon(
            "an object is deleted",
            api.delete(name, &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }),
        )
        .await
        .unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }

    /// An object as it is now; `Null` where there is none.
    pub async fn get(&self, api_version: &str, kind: &str, name: &str) -> Value {
        let got =
            soon("an object is fetched", self.api(api_version, kind, &self.namespace).get_opt(name)).await;
        let got = got.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        got.map_or(Value::Null, |object| serde_json::to_value(object).unwrap_or_default())
    }

    /// All objects of a kind in the namespace.
    pub async fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
        let listed = soon(
            "objects are listed",
            self.api(api_version, kind, &self.namespace).list(&kube::api::ListParams::default()),
        )
        .await;
        let listed = listed.unwrap_or_else(|error| panic!("{kind}: {error}"));
        listed.items.into_iter().map(|object| serde_json::to_value(object).unwrap_or_default()).collect()
    }

    /// A token of a service account of this namespace, which is made.
    pub async fn token_of(&self, account: &str) -> String {
        self.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}))
            .await;
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", self.namespace);
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let request = http::Request::post(path)
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .expect("the parts are fixed");
        let answer = soon("a token", self.client.request::<Value>(request)).await;
        let answer = answer.unwrap_or_else(|error| panic!("no token for {account}: {error}"));
        text_at(&answer, "/status/token")
    }

    /// A configuration of a service account of this namespace, which is made.
    pub async fn config_of(&self, server: &Server, account: &str) -> PathBuf {
        let token = self.token_of(account).await;
        server.config_file(account, &token, &self.namespace)
    }

    /// Whether who has this configuration is forbidden to read a path.
    pub async fn may_not(&self, config: &Path, path: &str) -> bool {
        let read =
            Kubeconfig::read_from(config).unwrap_or_else(|error| panic!("{}: {error}", config.display()));
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
        let client = config.ok().and_then(|config| Client::try_from(config).ok());
        let client = client.unwrap_or_else(|| panic!("no client of a configuration of the tests' own"));
        let request = http::Request::get(path).body(Vec::new()).expect("the parts are fixed");
        let answer = soon("an answer", client.request::<Value>(request)).await;
        matches!(answer, Err(kube::Error::Api(status)) if status.code == 403)
    }

    /// Waits until objects of these definitions can be listed.
    pub(super) async fn until_served(&self, plurals: &[&str]) {
        for plural in plurals {
            let is_ours = ["metarouters", "applicationprotocols"].contains(plural);
            let group = if is_ours { "metaprotocol.aeraki.io/v1alpha1" } else { "networking.istio.io/v1" };
            eventually(&format!("{plural} are served"), async || {
                let request = http::Request::get(format!("/apis/{group}/{plural}")).body(Vec::new());
                let request = request.expect("the parts are fixed");
                self.client.request::<Value>(request).await.map_err(|error| error.to_string())
            })
            .await;
        }
    }

    fn api(&self, api_version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if CLUSTER_SCOPE.contains(&kind) {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }
}

fn text_at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
