//! The codec, on what tRPC for Java sent (vectors) and on frames made here.

mod laws;
mod sentences;
