//! The laws kit, tried on a good codec, which passes, and on bad ones, each of which is caught by the right law.

mod lines;
mod seeded;
mod tiny;
mod turns;
