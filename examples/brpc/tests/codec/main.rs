//! The codec, on what brpc-java sent (vectors) and on messages made here.

mod laws;
mod sentences;
