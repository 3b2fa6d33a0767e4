//! Connections from clients: accepted elsewhere, decoded here, and served.
//!
//! A connection belongs to one worker for its whole life. Its task reads, hands whole messages to `serve`, and writes
//! what has been answered, in turns that leave time for others.

mod connection;
mod seat;
mod worker;

pub use connection::Connection;
pub use seat::Seat;
pub use worker::{Command, Worker};

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::snapshot::ListenerView;
use crate::telemetry::ListenerSeries;

/// A listener, as its connections on one worker see it.
pub struct Listener {
    view: RefCell<Rc<ListenerView>>,
    series: Arc<ListenerSeries>,
}

impl Listener {
    /// The listener's current view.
    pub fn view(&self) -> Rc<ListenerView> {
        self.view.borrow().clone()
    }
}
