//! How much memory a call costs, counted by the allocator.

mod support;

use support::{Frame, World, run};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const MIB: u64 = 1 << 20;

#[test]
fn a_call_of_4_mib_allocates_little_more_than_its_bytes() {
    let _profiler = dhat::Profiler::builder().testing().build();
    run(async {
        let (world, mut accepted) = World::with_endpoint();
        let mut client = world.client();
        // The pipes take their memory when they are first filled.
        client.send(&Frame::new(b'q', 1, "put", &vec![1; 600 * 1024])).await;
        let mut endpoint = accepted.recv().await.unwrap();
        let first = endpoint.receive().await.unwrap();
        endpoint.send(&Frame::response_to(&first)).await;
        client.receive().await.unwrap();

        let request = Frame::new(b'q', 2, "put", &vec![2; 4 << 20]).encode();
        let mut arrived = Vec::with_capacity(request.len());
        let before = dhat::HeapStats::get().total_bytes;
        let send = client.send_bytes(&request);
        let take = endpoint.take_into(&mut arrived, request.len());
        tokio::join!(send, take);
        let allocated = dhat::HeapStats::get().total_bytes - before;
        assert_eq!(arrived[14..], request[14..]);
        assert!(allocated <= 4 * MIB + MIB / 4, "{allocated} bytes for a message of {}", request.len());
    });
}
