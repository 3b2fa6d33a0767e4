//! Passwords: read from files when the configuration is loaded, compared without telling how far they agree, never
//! shown.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// Longest user name, password or client name that is kept, in bytes.
pub(crate) const MAX_SECRET: usize = 16 << 10;

/// The secret in a file, without the end of its line. The error says what is wrong with the file.
pub(crate) fn read(file: &str) -> Result<Arc<[u8]>, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{file} cannot be read: {error}"))?;
    let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    match secret.len() {
        0 => Err(format!("{file} is empty; its first line is the password")),
        1..=MAX_SECRET if !secret.contains(&b'\n') => Ok(secret.into()),
        1..=MAX_SECRET => Err(format!("{file} has more than one line; its only line is the password")),
        length => Err(format!("{file} has {length} bytes; a password has at most {MAX_SECRET}")),
    }
}

/// Who may use the proxy.
#[derive(Default)]
pub(crate) struct Users(Vec<(Box<str>, Arc<[u8]>)>);

impl Users {
    /// Whether there is a user of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| **known == *name)
    }

    /// Adds a user.
    pub(crate) fn add(&mut self, name: String, password: Arc<[u8]>) {
        self.0.push((name.into(), password));
    }

    /// The name of the user with this name and password. Takes as long for a wrong password as for a right one, and as
    /// long for a user that there is not.
    pub(crate) fn check(&self, name: &[u8], password: &[u8]) -> Option<&str> {
        let mut found = None;
        for (known, secret) in &self.0 {
            let is_known = is_same(known.as_bytes(), name);
            if black_box(is_known & is_same(secret, password)) {
                found = Some(&**known);
            }
        }
        found
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Whether both are the same. The time it takes depends on nothing but the length of what is `given`.
fn is_same(secret: &[u8], given: &[u8]) -> bool {
    let mut difference = usize::from(secret.len() != given.len());
    for (place, byte) in given.iter().enumerate() {
        let other = secret.get(place % secret.len().max(1)).copied().unwrap_or(0);
        difference |= usize::from(black_box(byte ^ other));
    }
    black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_name_and_password_only() {
        let mut users = Users::default();
        users.add("ada".to_owned(), (*b"secret").into());
        users.add("bob".to_owned(), (*b"secretsecret").into());
        assert_eq!(users.check(b"ada", b"secret"), Some("ada"));
        assert_eq!(users.check(b"bob", b"secretsecret"), Some("bob"));
        for (name, password) in
            [("ada", "secretsecret"), ("ada", "secre"), ("ada", ""), ("", "secret"), ("eve", "secret")]
        {
            assert_eq!(users.check(name.as_bytes(), password.as_bytes()), None, "{name} {password}");
        }
        assert_eq!(format!("{users:?}"), r#"["ada", "bob"]"#);
    }

    #[test]
    fn a_file_holds_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let file = file.to_str().unwrap();
        assert!(read(file).unwrap_err().contains("cannot be read"));
        for (text, expected) in [
            ("a b\n", Some("a b")),
            ("a\r\n", Some("a")),
            ("a", Some("a")),
            ("", None),
            ("\n", None),
            ("a\nb\n", None),
        ] {
            std::fs::write(file, text).unwrap();
            assert_eq!(read(file).ok().as_deref(), expected.map(str::as_bytes), "{text:?}");
        }
    }
}
