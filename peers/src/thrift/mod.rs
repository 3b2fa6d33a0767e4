//! Apache Thrift: a client, a server, an echo server and a load, and the bytes that they exchange.
//!
//! Written from the public descriptions of the protocols (binary, strict and lenient; compact), of the framed
//! transport and of the header transport, and from what Apache Thrift's own libraries send. Values are untyped by any
//! IDL: a message is its name, its kind, its sequence id and the fields of its struct.

pub mod client;
pub mod server;
pub mod echo;
pub mod workload;
pub mod dialect;
pub mod message;
pub mod binary;
pub mod compact;
pub mod value;
pub mod malformed;

pub use crate::dubbo::Refusing;
pub use client::{Answer, Client, Outcome};
pub use dialect::{Dialect, Encoding, Envelope, Transport};
pub use malformed::Malformed;
pub use message::{Kind, Message};
pub use server::{Behaviour, Counts, Seen, Server};
pub use value::{Fields, Type, Value};
pub use workload::EchoLoad;
