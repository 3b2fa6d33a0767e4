//! Streams that wait or say nothing take a place each, and give it back.

use controller::ads::FIRST_REQUEST_WITHIN;
use tokio::time::{self, timeout};
use tonic::{Code, Status};
use xds::ResourceType::Cluster;

use crate::probe::{Delta, LIMIT, Server, channel, node};

/// Another stream, over a connection of its own.
async fn another(server: &Server) -> Result<Delta, Status> {
    Delta::try_over(channel(server.address).await, node("another", "shop")).await
}

/// Waits until there is a place for another stream.
async fn until_there_is_a_place(server: &Server) -> Delta {
    let trying = async {
        loop {
            match another(server).await {
                Ok(stream) => return stream,
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status}"),
            }
        }
    };
    timeout(LIMIT, trying).await.expect("who left gives its place back")
}

#[tokio::test]
async fn who_waits_takes_a_place_and_gives_it_back_when_it_leaves() {
    let server = Server::start_for(2, None).await;
    let mut parked = Delta::open(server.address).await;
    parked.subscribe(Cluster, &[]).await;
    let silent = Delta::open(server.address).await;
    let Err(refused) = another(&server).await else { panic!("there are two already") };
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::ResourceExhausted, "2 streams are served already")
    );

    drop(parked);
    let mut next = until_there_is_a_place(&server).await;
    assert!(another(&server).await.is_err(), "one has left, one has come");
    drop(silent);
    let last = until_there_is_a_place(&server).await;

    next.subscribe(Cluster, &[]).await;
    server.objects("").await;
    next.take().await;
    assert!(another(&server).await.is_err(), "it is the same place before and after");
    drop(next);
    until_there_is_a_place(&server).await;
    drop(last);
}

#[tokio::test]
async fn who_says_nothing_is_ended_with_words() {
    let server = Server::start_for(1, None).await;
    let mut silent = Delta::open(server.address).await;
    time::pause();
    time::advance(FIRST_REQUEST_WITHIN).await;
    time::resume();
    let status = silent.ended().await;
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "no request has come within 15s"));
    until_there_is_a_place(&server).await;
}
