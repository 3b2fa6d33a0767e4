//! A client's session: protocol version, user and database, which the connections that carry its commands must have been
//! set up with. The codec that faces the endpoint reads them from the session's bytes.

use super::answer::Names;

/// What a connection is set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The version of RESP: 2 or 3.
    pub(crate) protocol: u8,
    /// The user, as the client named him; the default one where it named none.
    pub(crate) user: Option<Vec<u8>>,
    /// The client's password. `None`: it gave none.
    pub(crate) secret: Option<Vec<u8>>,
    /// The database.
    pub(crate) db: u32,
}

impl Default for Session {
    fn default() -> Self {
        Self { protocol: 2, user: None, secret: None, db: 0 }
    }
}

impl Session {
    /// Nothing where all is as a new connection has it.
    fn write(&self) -> Vec<u8> {
        if *self == Self::default() {
            return Vec::new();
        }
        let mut bytes = vec![self.protocol];
        bytes.extend(self.db.to_le_bytes());
        for part in [&self.user, &self.secret] {
            let length = part.as_ref().map_or(u32::MAX, |part| part.len() as u32);
            bytes.extend(length.to_le_bytes());
            bytes.extend(part.iter().flatten());
        }
        bytes
    }

    /// What these bytes say; the default session where they say nothing.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self::try_read(bytes).unwrap_or_default()
    }

    fn try_read(bytes: &[u8]) -> Option<Self> {
        let (protocol, rest) = bytes.split_first()?;
        let (db, rest) = rest.split_first_chunk()?;
        let (user, rest) = part(rest)?;
        let (secret, _) = part(rest)?;
        Some(Self { protocol: *protocol, user, secret, db: u32::from_le_bytes(*db) })
    }
}

fn part(bytes: &[u8]) -> Option<(Option<Vec<u8>>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    match u32::from_le_bytes(*length) {
        u32::MAX => Some((None, rest)),
        length => {
            let (part, rest) = rest.split_at_checked(length as usize)?;
            Some((Some(part.to_vec()), rest))
        }
    }
}

/// The session that holds, and the one before while it is not known whether the server grants it.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    asked: Session,
    bytes: Vec<u8>,
    /// The one before, and the name that comes with the new one.
    before: Option<(Session, Option<Vec<u8>>)>,
}

impl Sessions {
    /// The session that the client's latest request asks for, or that holds.
    pub(super) fn asked(&self) -> &Session {
        &self.asked
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A request asks for another session, and maybe for a name.
    pub(super) fn ask(&mut self, session: Session, name: Option<Vec<u8>>) {
        let before = std::mem::replace(&mut self.asked, session);
        self.bytes = self.asked.write();
        self.before = Some((before, name));
    }

    /// It was granted, or not.
    pub(super) fn conclude(&mut self, is_granted: bool, names: &mut Names) {
        match self.before.take() {
            Some((_, name)) if is_granted => names.rename(name),
            Some((before, _)) => {
                self.asked = before;
                self.bytes = self.asked.write();
            }
            None => {}
        }
    }

    /// All is as on a new connection.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_as_it_was_written() {
        for session in [
            Session::default(),
            Session { db: 3, ..Session::default() },
            Session { protocol: 3, ..Session::default() },
            Session { secret: Some(b"s".to_vec()), ..Session::default() },
            Session { protocol: 3, user: Some(b"ada".to_vec()), secret: Some(Vec::new()), db: 15 },
        ] {
            assert_eq!(Session::read(&session.write()), session);
            assert_eq!(session.write().is_empty(), session == Session::default());
        }
        for cut in 0..13 {
            assert_eq!(Session::read(&[3; 12][..cut.min(12)]), Session::default());
        }
    }
}
