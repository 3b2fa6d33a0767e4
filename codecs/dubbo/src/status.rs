//! The status byte of a response, and which one each local reply has.
//!
//! Numbers are those of Dubbo's `org.apache.dubbo.remoting.exchange.Response` and `org.apache.dubbo.rpc.RpcException`.

use codec_api::{Cause, Status};

use crate::serialization;

/// A result, or an exception that the method threw.
pub(crate) const OK: u8 = 20;
/// The provider's threads are all taken.
pub(crate) const THREAD_POOL_EXHAUSTED: u8 = 100;

/// Kinds of results that are exceptions: without and with attachments.
pub(crate) const EXCEPTIONS: [i32; 2] = [0, 3];

/// `RpcException.UNKNOWN_EXCEPTION`.
const UNKNOWN: u8 = 0;
/// `RpcException.FORBIDDEN_EXCEPTION`.
const FORBIDDEN: u8 = 4;
/// `RpcException.LIMIT_EXCEEDED_EXCEPTION`.
const LIMIT_EXCEEDED: u8 = 7;

/// How a response ended.
///
/// | status byte | status |
/// |---|---|
/// | 20, body is an exception | application error |
/// | 20, anything else | ok |
/// | 100 (thread pool exhausted) | overloaded |
/// | 25, 30, 31, 35, 40, 50, 60, 70, 80, 90 and unknown ones | server error |
pub(crate) fn of(status: u8, serialization: u8, body: &[u8]) -> Status {
    match status {
        OK => match serialization::result_kind(serialization, body) {
            Some(kind) if EXCEPTIONS.contains(&kind) => Status::ApplicationError,
            _ => Status::Ok,
        },
        THREAD_POOL_EXHAUSTED => Status::Overloaded,
        _ => Status::ServerError,
    }
}

/// The shape of a local reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// This status, and a text. Consumers retry it as often as they are told to.
    Status(u8),
    /// Status 20 and an `RpcException` with this code as the result. Consumers throw it and do not retry.
    Exception(u8),
}

/// The shape of the local reply to each cause; the table stands in the crate's documentation.
pub(crate) fn reply(cause: Cause) -> Reply {
    match cause {
        Cause::Timeout => Reply::Status(31),
        Cause::ConnectFailure => Reply::Status(35),
        Cause::BadMessage => Reply::Status(40),
        Cause::ConnectionLost => Reply::Status(50),
        Cause::NoRoute => Reply::Status(60),
        Cause::NoEndpoint => Reply::Status(70),
        Cause::Misconfigured => Reply::Status(80),
        // What Dubbo itself says to a consumer whose message is longer than `payload`.
        Cause::TooLarge => Reply::Status(90),
        Cause::Overload | Cause::RateLimited => Reply::Exception(LIMIT_EXCEEDED),
        Cause::Denied => Reply::Exception(FORBIDDEN),
        Cause::Unsupported | Cause::Scattered => Reply::Exception(UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serialization::{FASTJSON2, HESSIAN2};

    #[test]
    fn each_status_byte_has_its_status() {
        for byte in [25, 30, 31, 35, 40, 50, 60, 70, 80, 90, 0, 21, 99, 255] {
            assert_eq!(of(byte, HESSIAN2, b"\x91"), Status::ServerError, "{byte}");
        }
        assert_eq!(of(100, HESSIAN2, b""), Status::Overloaded);
        for (kind, status) in [
            (0, Status::ApplicationError),
            (1, Status::Ok),
            (2, Status::Ok),
            (3, Status::ApplicationError),
            (4, Status::Ok),
            (5, Status::Ok),
        ] {
            assert_eq!(of(20, HESSIAN2, &[0x90 + kind]), status);
            assert_eq!(of(20, FASTJSON2, &[0, 0, 0, 2, 0xbd, kind]), status);
            assert_eq!(of(20, 22, &[0x90 + kind]), Status::Ok, "invisible");
        }
    }

    #[test]
    fn no_two_causes_share_a_status() {
        let mut statuses: Vec<u8> = Cause::ALL
            .into_iter()
            .filter_map(|cause| match reply(cause) {
                Reply::Status(status) => Some(status),
                Reply::Exception(_) => None,
            })
            .collect();
        let all = statuses.len();
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(statuses.len(), all);
    }
}
