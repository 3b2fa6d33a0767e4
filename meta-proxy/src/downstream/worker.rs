//! One worker: a thread's share of the connections, with its own view of the snapshot.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::exchange::{Client, Refusal};
use crate::local::Local;
use crate::snapshot::{ListenerView, Snapshot, View};
use crate::tls;
use crate::wire::{BoxStream, Connector, prepare};

use super::{Connection, Listener, Seat};

/// How often clients are inspected for having been idle or stalled.
const INSPECTION: Duration = Duration::from_secs(1);
/// How long a client that was told to go elsewhere must be quiet before it is disconnected.
const QUIET_BEFORE_CLOSE: Duration = Duration::from_secs(1);
/// How long a client may be idle unless its listener says otherwise.
const IDLE_TIME: Duration = Duration::from_hours(1);

/// What a worker is told to do.
pub enum Command {
    /// Serve by this snapshot from now on; answered when it does.
    Apply(Arc<Snapshot>, oneshot::Sender<()>),
    /// Serve this connection to the listener of this name.
    Serve(Arc<str>, TcpStream, SocketAddr, Seat),
    /// Tell clients to go elsewhere and end their connections when nothing is under way.
    Drain,
    /// End.
    Stop,
}

/// A worker.
pub struct Worker {
    local: Rc<Local>,
    connector: Rc<dyn Connector>,
    view: RefCell<View>,
    listeners: RefCell<HashMap<String, Rc<Listener>>>,
    clients: RefCell<Slab<Member>>,
    cancelled: Notify,
    draining: Cell<bool>,
}

struct Member {
    client: Rc<Client>,
    listener: Rc<Listener>,
    /// Since when it has been asked to go elsewhere.
    leaving: Option<Instant>,
}

impl Worker {
    /// A worker that serves nothing yet.
    pub fn new(local: Rc<Local>, connector: Rc<dyn Connector>) -> Rc<Self> {
        Rc::new(Self {
            local,
            connector,
            view: RefCell::default(),
            listeners: RefCell::default(),
            clients: RefCell::default(),
            cancelled: Notify::new(),
            draining: Cell::new(false),
        })
    }

    /// Works until it is told to stop.
    pub async fn run(self: Rc<Self>, mut commands: mpsc::UnboundedReceiver<Command>) {
        self.start_housekeeping();
        while let Some(command) = commands.recv().await {
            match command {
                Command::Apply(snapshot, done) => {
                    self.apply(&snapshot);
                    let _ = done.send(());
                }
                Command::Serve(listener, stream, address, seat) => match adopt(stream) {
                    Ok(stream) => self.serve(&listener, stream, address, seat),
                    Err(error) => tracing::debug!(%address, %error, "client connection lost"),
                },
                Command::Drain => self.drain(),
                Command::Stop => return self.stop(),
            }
        }
    }

    /// Starts the tasks that look after clients that stall, idle or vanish.
    pub fn start_housekeeping(self: &Rc<Self>) {
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            let mut ticks = interval(INSPECTION);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                worker.local.tick();
                worker.inspect();
            }
        });
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            loop {
                worker.cancelled.notified().await;
                worker.local.tick();
                worker.view.borrow().sweep_cancelled();
            }
        });
    }

    /// Serves by `snapshot` from now on.
    pub fn apply(&self, snapshot: &Snapshot) {
        self.local.tick();
        let next = self.view.borrow().next(snapshot, &self.local, &self.connector);
        self.view.replace(next);
        let view = self.view.borrow();
        let mut listeners = self.listeners.borrow_mut();
        let mut leaving = Vec::new();
        listeners.retain(|name, listener| {
            let stays = match view.listener(name) {
                Some(next) => speaks_the_same(&listener.view(), next),
                None => false,
            };
            match view.listener(name).filter(|_| stays) {
                Some(next) => drop(listener.view.replace(next.clone())),
                None => leaving.push(listener.clone()),
            }
            stays
        });
        for name in snapshot.listeners.keys() {
            let Some(next) = view.listener(name).filter(|_| !listeners.contains_key(name)) else { continue };
            let series = self.local.telemetry().listener(self.local.worker(), next.name.clone());
            listeners.insert(name.clone(), Rc::new(Listener { view: RefCell::new(next.clone()), series }));
        }
        drop(listeners);
        drop(view);
        self.dismiss(|member| leaving.iter().any(|listener| Rc::ptr_eq(listener, &member.listener)));
    }

    /// Serves one more connection. One that is encrypted is served when its handshake is over, which others do not wait for.
    pub fn serve(self: &Rc<Self>, name: &str, stream: BoxStream, address: SocketAddr, seat: Seat) {
        let Some(listener) = self.listeners.borrow().get(name).cloned() else { return };
        let Some(tls) = listener.view.borrow().spec().tls.clone() else {
            return self.take_in(&listener, stream, address, seat);
        };
        let (worker, name) = (self.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            match tls::accept(&tls, stream).await {
                Ok(stream) => {
                    listener.series.tls_handshakes.inc();
                    // It may have been replaced meanwhile.
                    let Some(listener) = worker.listeners.borrow().get(&name).cloned() else { return };
                    worker.take_in(&listener, stream, address, seat);
                }
                Err(error) => {
                    listener.series.tls_failures.inc();
                    tracing::debug!(%address, listener = name, %error, "client connection closed");
                }
            }
        });
    }

    fn take_in(self: &Rc<Self>, listener: &Rc<Listener>, stream: BoxStream, address: SocketAddr, seat: Seat) {
        self.local.tick();
        let factory = listener.view().spec().factory.clone();
        let client = Client::new(&self.local, address, &*factory);
        listener.series.accepted.inc();
        listener.series.active.inc();
        let member = Member { client: client.clone(), listener: listener.clone(), leaving: None };
        let key = self.clients.borrow_mut().insert(member);
        if self.draining.get() {
            self.dismiss(|member| Rc::ptr_eq(&member.client, &client));
        }
        let connection = Connection::new(listener, &client, stream);
        let (worker, listener) = (self.clone(), listener.clone());
        tokio::task::spawn_local(async move {
            connection.run().await;
            worker.clients.borrow_mut().remove(key);
            listener.series.active.dec();
            drop(seat);
            if client.outstanding() > 0 {
                worker.cancelled.notify_one();
            }
        });
    }

    /// Tells every client to go elsewhere.
    pub fn drain(&self) {
        self.draining.set(true);
        self.local.tick();
        self.dismiss(|_| true);
    }

    /// Ends what is still under way, so that each exchange is recorded before the runtime goes.
    fn stop(&self) {
        self.local.tick();
        for (_, member) in &*self.clients.borrow() {
            member.client.close();
        }
        self.view.borrow().sweep_cancelled();
    }

    /// Tells clients to go elsewhere. They are disconnected when they have been quiet for a while.
    fn dismiss(&self, is_meant: impl Fn(&Member) -> bool) {
        for (_, member) in &mut *self.clients.borrow_mut() {
            if member.leaving.is_none() && is_meant(member) {
                member.leaving = Some(self.local.now());
                member.client.going_away();
            }
        }
    }

    fn inspect(&self) {
        for (_, member) in &*self.clients.borrow() {
            let idle = match member.leaving {
                Some(_) => QUIET_BEFORE_CLOSE,
                None => member.listener.view.borrow().spec().model.idle_timeout.unwrap_or(IDLE_TIME),
            };
            let asked = member.leaving.is_none_or(|since| self.local.now() - since >= QUIET_BEFORE_CLOSE);
            match member.client.inspect(idle) {
                Some(Refusal::Idle) if member.leaving.is_some() && asked => {
                    member.client.refuse(Refusal::Drained);
                }
                Some(Refusal::Idle) if member.leaving.is_some() => {}
                Some(refusal) => member.client.refuse(refusal),
                None => {}
            }
        }
    }
}

/// Whether connections that were made under `old` can go on under `new`.
fn speaks_the_same(old: &ListenerView, new: &ListenerView) -> bool {
    let (old, new) = (&old.spec().model, &new.spec().model);
    old.protocol == new.protocol && old.options == new.options
}

fn adopt(stream: TcpStream) -> std::io::Result<BoxStream> {
    let stream = tokio::net::TcpStream::from_std(stream)?;
    prepare(&stream)?;
    Ok(Box::new(stream))
}
