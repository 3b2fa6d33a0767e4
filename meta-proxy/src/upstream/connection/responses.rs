//! What an endpoint says on a connection: responses, each to its exchange, pings, and what comes unasked.

use std::rc::Rc;

use codec_api::{DecodeError, Decoded, Kind, Message, Order, Outgoing, Raw, Rejected, Status};

use crate::error::Failure;
use crate::exchange::End;
use crate::upstream::cluster::Cluster;
use crate::upstream::pending::Slot;
use crate::upstream::standing::Evidence;
use crate::wire::{Reader, WireError};

use super::Connection;

/// Takes messages from a connection's inbox.
pub(in crate::upstream) struct Responses<'a> {
    pub(in crate::upstream) connection: &'a Rc<Connection>,
    pub(in crate::upstream) cluster: &'a Rc<Cluster>,
}

impl Reader for Responses<'_> {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, DecodeError> {
        self.connection.decode(input)
    }

    fn message(&mut self, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        let connection = self.connection;
        match message.kind {
            Kind::Response => {
                connection.response(message, bytes)?;
                connection.endpoint.has_room_again(self.cluster, connection);
            }
            Kind::Push => connection.push(message, bytes),
            Kind::Pong => connection.pong(message.id)?,
            Kind::Ping => {
                let ping = Outgoing { message, bytes, id: message.id };
                connection.speak(|codec, out| codec.pong(&ping, out));
            }
            Kind::Request | Kind::Oneway | Kind::Own => connection.reverse_request(message, bytes),
            Kind::GoingAway => connection.set_going_away(true),
            Kind::ComeBack => connection.set_going_away(false),
            Kind::Notice => {}
        }
        Ok(())
    }

    fn rejected(&mut self, rejected: Rejected) {
        let Some(answer) = rejected.answer else { return };
        let connection = self.connection;
        let slot = connection.state.borrow_mut().settle(answer.id, connection.local.now());
        match slot {
            Some(Slot::Exchange(exchange, permit)) => {
                drop(permit);
                connection.endpoint.finish();
                connection.forget(&exchange);
                connection.endpoint.judge(Evidence::Bad(Failure::UpstreamProtocol.text()));
                exchange.end(End::Failed(Failure::UpstreamProtocol, Some(&rejected.text)));
            }
            Some(Slot::Setup) => return connection.wind_up(),
            Some(Slot::Tombstone | Slot::Ping) | None => {}
        }
        connection.settle();
        connection.endpoint.has_room_again(self.cluster, connection);
    }
}

impl Connection {
    fn response(self: &Rc<Self>, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        if message.flow.more {
            if let Some(Slot::Exchange(exchange, _)) = self.state.borrow().pending.peek(message.id) {
                exchange.respond_more(message, bytes);
            }
            return Ok(());
        }
        let slot = self.state.borrow_mut().settle(message.id, self.local.now());
        match slot {
            Some(Slot::Exchange(exchange, permit)) => {
                // Given back first: should the request be sent again, it takes another one.
                drop(permit);
                self.endpoint.finish();
                self.endpoint.series().responses[message.status as usize].inc();
                self.endpoint.judge_response(message.status);
                self.forget(&exchange);
                exchange.end(End::Response { message, bytes });
            }
            Some(Slot::Setup) => return self.setup_response(message, bytes),
            Some(Slot::Ping) if self.order == Order::InOrder => {}
            Some(Slot::Tombstone | Slot::Ping) | None => self.endpoint.series().late.inc(),
        }
        self.loosen(message);
        Ok(())
    }

    fn pong(&self, id: u64) -> Result<(), WireError> {
        let state = &mut *self.state.borrow_mut();
        if let Some(Slot::Exchange(..) | Slot::Setup) = state.pending.peek(id) {
            return Err(WireError::Protocol("a request was answered with a pong".to_owned()));
        }
        state.pending.take(id);
        Ok(())
    }

    /// Takes note of a response to what sets it up.
    fn setup_response(self: &Rc<Self>, message: &Message, bytes: Raw<'_>) -> Result<(), WireError> {
        if message.status != Status::Ok {
            self.ending.set(true);
            self.has_begun();
            self.endpoint.refused_set_up(self, message, bytes);
            let text = String::from_utf8_lossy(&bytes.as_slice()[..message.len.min(200)]).trim().to_owned();
            return Err(WireError::Protocol(format!("the set-up was refused: {text}")));
        }
        self.setting_up.set(self.setting_up.get() - 1);
        if self.setting_up.get() == 0 {
            self.endpoint.is_set_up(self);
        }
        Ok(())
    }

    /// Hands its owner what has come unasked.
    fn push(self: &Rc<Self>, message: &Message, bytes: Raw<'_>) {
        match self.owner() {
            Some(client) => client.push(message, bytes),
            None => self.endpoint.series().late.inc(),
        }
        self.loosen(message);
    }
}
