//! Serializations that the proxy does not read: they pass where no route asks for what it cannot see.

use e2e::dubbo::{DubboProvider, Library, consumer};
use e2e::eventually::{SOON, eventually};
use e2e::objects::{Route, Router, Service, exact};
use e2e::scene::Setup;
use peers::dubbo::Outcome;

#[tokio::test]
async fn javas_own_serializations_pass_through_and_a_call_without_a_route_is_told_which_it_was() {
    for (library, serialization) in [(Library::Dubbo27, "java"), (Library::Dubbo26, "nativejava")] {
        let flags = ["--serialization", serialization];
        let provider = DubboProvider::start(library, "user-1", &flags).await;
        let service = Service::orders().endpoint("any", provider.address());
        let conditional = Route::to("").when("method", exact("other"));
        let router = Router::routes([conditional.clone(), Route::to("")]);
        let scene = Setup::new().put("service", service).put("router", router).start().await;
        let mut words = flags.to_vec();
        for scenario in
            ["pojo", "map", "business-exception", "null", "oneway", "attachments", "payload-4m", "concurrent"]
        {
            words.extend(["--scenario", scenario]);
        }
        assert_eq!(consumer(library, scene.address(), &words).await.ok().len(), 8);

        scene.folder().put("router", Router::routes([conditional]));
        let client = scene.client().await;
        eventually("the change is in force", async || {
            let answer = client.call(&e2e::calls::calling("who"), SOON).await;
            if matches!(answer.outcome, Outcome::Status(60, _)) { Ok(()) } else { Err(answer) }
        })
        .await;
        words.truncate(2);
        words.extend(["--scenario", "call-error"]);
        let told = consumer(library, scene.address(), &words).await.told("call-error").clone();
        let text = told[0].to_string();
        assert!(
            text.contains("no route matches") && text.contains(serialization),
            "{library:?}: {:#}",
            told[0]
        );
        scene.end().await;
    }
}
