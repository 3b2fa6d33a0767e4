//! What a user looks at: the commands, the admin port, the access log, and that none of them tells a tale.

mod command;
mod admin;
mod endings;
mod agreement;
mod live;
mod traces;
