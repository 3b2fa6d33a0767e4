//! Transactions of one client: what is sent between `MULTI` and `EXEC`, and what becomes of it if anything in between was
//! refused.
//!
//! `MULTI` is not sent before the first command behind it shows which endpoint it goes to. Each command is counted here
//! when it is decoded, and by the endpoint's codec when it is sent; `EXEC` carries the number, and where both differ it is
//! sent as `DISCARD`. So whatever kept a command from being sent, the others do not run without it.

use codec_api::{Affinity, Decoded, Spread};

use super::decide::Request;
use super::{Downstream, Due};
use crate::context;
use crate::holds::Holds;
use crate::policy::{Own, Transaction as Part, Way};
use crate::said::Said;

/// An open transaction.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// The client has a connection of its own, on which `MULTI` was or will be sent.
    pub(super) is_sent: bool,
    /// Its first command could not be sent: nothing of it ever will.
    pub(super) is_lost: bool,
    /// Commands in it.
    count: u32,
}

impl Downstream {
    /// A command of transactions, outside of one.
    pub(super) fn outside(&mut self, part: Part, mut request: Request<'_>) -> Decoded {
        match part {
            Part::Exec => self.say_so(request, Said::ExecWithout),
            Part::Discard => self.say_so(request, Said::DiscardWithout),
            Part::Multi => {
                let is_sent = !self.holds.is_empty();
                self.transaction = Some(Transaction { is_sent, ..Transaction::default() });
                self.look_again();
                if !is_sent {
                    return self.say_so(request, Said::Ok);
                }
                self.holds = self.holds.with(Holds::TRANSACTION);
                request.message.context |= context::MARKED;
                // It is about the connection, which the client has: nothing keeps it back, so that what follows is queued.
                request.message.flow.affinity = Affinity::Pin;
                self.send(&request, Due::adding(Holds::TRANSACTION))
            }
            Part::Watch => self.pin(request, Holds::WATCH, Spread::Keys),
            Part::Unwatch if self.holds.has(Holds::WATCH) => {
                request.message.context |= context::MARKED;
                self.unpin(request, Holds::WATCH, Due::default())
            }
            Part::Unwatch => self.say_so(request, Said::Ok),
        }
    }

    /// Any command, inside of a transaction.
    pub(super) fn inside(&mut self, request: Request<'_>) -> Decoded {
        let why = match request.policy.way {
            Way::Transaction(Part::Multi) => return self.say_so(request, Said::Nested),
            Way::Transaction(Part::Watch) => return self.say_so(request, Said::WatchInside),
            Way::Transaction(Part::Exec | Part::Discard) if request.count() > 1 => {
                return self.end_wrongly(request);
            }
            Way::Transaction(Part::Exec) => return self.end(request, Said::ExecNothing, false),
            Way::Transaction(Part::Discard) => return self.end(request, Said::DiscardNothing, false),
            Way::Own(Own::Quit | Own::Reset) => return self.own(request),
            Way::Refuse(_) | Way::Container => return self.refuse(request),
            Way::Own(Own::Ping)
            | Way::Transaction(Part::Unwatch)
            | Way::Key
            | Way::Split(_)
            | Way::One
            | Way::Sole
            | Way::Home
            | Way::All(_)
            | Way::Apart
            | Way::Block(_)
            | Way::LastWrite(_) => return self.queue(request),
            Way::Own(_) => "it is answered by this proxy",
            Way::Session(_) => "it would change which connections the client's commands use",
            Way::Subscribe(_) | Way::Hold(_) => "it needs a connection of its own",
        };
        self.refuse_for(&request, &format!("it cannot be part of a transaction: {why}"))
    }

    /// A command that is sent as part of the transaction.
    fn queue(&mut self, mut request: Request<'_>) -> Decoded {
        let Some(transaction) = &mut self.transaction else { return self.forward(request) };
        if transaction.is_lost {
            return self.say_so(request, Said::Queued);
        }
        transaction.count += 1;
        request.message.context |= context::QUEUED | context::MARKED;
        // Nothing is written before EXEC.
        request.message.flow.writes = false;
        request.find_spread();
        if request.message.flow.spread == Spread::All {
            // What goes to several endpoints cannot be part of what happens at once.
            request.message.flow.spread = Spread::Sole;
        }
        let mut due = Due::default();
        if !transaction.is_sent {
            transaction.is_sent = true;
            due = Due::adding(Holds::TRANSACTION);
            self.holds = self.holds.with(Holds::TRANSACTION);
            request.message.context |= context::OPENS;
            request.message.flow.affinity = Affinity::Pin;
        }
        self.send(&request, due)
    }

    /// `EXEC` or `DISCARD`.
    fn end(&mut self, mut request: Request<'_>, said: Said, spoils: bool) -> Decoded {
        let transaction = self.transaction.take().unwrap_or_default();
        self.look_again();
        if !transaction.is_sent || transaction.is_lost {
            return self.say_with(request, said, Due::default().and(Due::SPOILS, spoils));
        }
        request.message.context |= context::MARKED | context::counting(transaction.count);
        request.message.flow.writes = said == Said::ExecNothing;
        let due = Due::ENDS.and(Due::EXECUTES, said == Said::ExecNothing).and(Due::SPOILS, spoils);
        self.unpin(request, Holds::WATCH.with(Holds::TRANSACTION), due)
    }

    /// `EXEC` with arguments ends the transaction, and nothing of it is done; `DISCARD` with arguments is an error in it.
    fn end_wrongly(&mut self, mut request: Request<'_>) -> Decoded {
        self.spoiled();
        if request.policy.way == Way::Transaction(Part::Exec) {
            return self.end(request, Said::ExecNothing, true);
        }
        request.message.context |= context::QUEUED;
        self.say_so(request, Said::Arity)
    }

    /// A command of the transaction is not sent. Tells whether there is a transaction.
    pub(super) fn spoiled(&mut self) -> bool {
        match &mut self.transaction {
            Some(transaction) => {
                transaction.count += 1;
                true
            }
            None => false,
        }
    }
}
