//! Calls of the service that most scenarios are about, and who answered them.

use std::time::Duration;

use peers::dubbo::{Answer, Behaviour, Call, Client, Outcome, Provider};

use crate::eventually::{SOON, eventually};
use crate::objects::INTERFACE;

/// A provider that answers its label to every method.
pub async fn provider(label: &str) -> Provider {
    started(Provider::builder(label).otherwise(Behaviour::Who)).await
}

/// Starts a provider.
pub async fn started(builder: peers::dubbo::provider::Builder) -> Provider {
    builder.start().await.unwrap_or_else(|error| panic!("a provider cannot listen: {error}"))
}

/// Waits, then does the other.
pub fn after(delay: Duration, behaviour: Behaviour) -> Behaviour {
    Behaviour::After(delay, Box::new(behaviour))
}

/// A call of this method, by an application that says its name as every consumer of Dubbo 2.7 and later does.
pub fn calling(method: &str) -> Call {
    Call::new(INTERFACE, method).attachment("remote.application", "shop")
}

/// The label of the provider that answered a call.
pub async fn who(client: &Client, call: &Call) -> String {
    label(&client.call(call, SOON).await)
}

/// The label in an answer.
pub fn label(answer: &Answer) -> String {
    answer.text().unwrap_or_else(|| panic!("an answer without a label: {answer:?}")).to_owned()
}

/// Waits until this provider answers such calls.
pub async fn until_answered_by(expected: &str, client: &Client, call: &Call) {
    eventually(&format!("{expected} answers"), async || {
        let answer = client.call(call, SOON).await;
        if answer.text() == Some(expected) { Ok(()) } else { Err(format!("{:?}", answer.outcome)) }
    })
    .await;
}

/// The status other than 20 of an answer, and its text.
pub fn status(answer: &Answer) -> (u8, &str) {
    match &answer.outcome {
        Outcome::Status(status, text) => (*status, text),
        other => panic!("no status: {other:?}"),
    }
}
