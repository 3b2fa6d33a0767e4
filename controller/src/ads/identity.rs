//! Who a client is by its certificate.
//!
//! A SPIFFE id says trust domain, namespace and service account: `spiffe://<trust domain>/ns/<namespace>/sa/<account>`.
//! What a certificate says counts more than what a node says of itself.

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::parse_x509_certificate;

/// What a SPIFFE id says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The id as a whole.
    pub id: String,
    /// The namespace in it.
    pub namespace: String,
}

impl Identity {
    /// Reads the id in a certificate (DER).
    pub fn of_certificate(certificate: &[u8]) -> Result<Self, String> {
        let parsed = parse_x509_certificate(certificate);
        let (_, certificate) = parsed.map_err(|error| format!("the certificate cannot be read: {error}"))?;
        let names =
            certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
                _ => None,
            });
        let uris = names.flatten().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let ids: Vec<_> = uris.filter(|uri| uri.starts_with("spiffe://")).collect();
        match ids[..] {
            [id] => Self::parse(id),
            [] => Err("the certificate has no SPIFFE id: one of its alternative names must be \
                       spiffe://<trust domain>/ns/<namespace>/sa/<account>"
                .to_owned()),
            _ => Err(format!("the certificate has several SPIFFE ids, must have one: {}", ids.join(", "))),
        }
    }

    /// Reads an id.
    pub fn parse(id: &str) -> Result<Self, String> {
        let form =
            || format!("{id:?} is not of the form spiffe://<trust domain>/ns/<namespace>/sa/<account>");
        let path = id.strip_prefix("spiffe://").ok_or_else(form)?;
        let parts: Vec<_> = path.split('/').collect();
        match parts[..] {
            [trust, "ns", namespace, "sa", account] if ![trust, namespace, account].contains(&"") => {
                Ok(Self { id: id.to_owned(), namespace: namespace.to_owned() })
            }
            _ => Err(form()),
        }
    }

    /// The namespace of a node that claims this one, or nothing.
    pub fn namespace_of(&self, claimed: &str) -> Result<String, String> {
        if claimed.is_empty() || claimed == self.namespace {
            return Ok(self.namespace.clone());
        }
        Err(format!(
            "the node says namespace {claimed:?}, but its certificate says {:?} ({}): use the certificate of that \
             namespace, or leave the node's namespace out",
            self.namespace, self.id
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_its_namespace() {
        let identity = Identity::parse("spiffe://cluster.local/ns/shop/sa/orders").unwrap();
        assert_eq!(identity.namespace, "shop");
        assert_eq!(identity.namespace_of(""), Ok("shop".to_owned()));
        assert_eq!(identity.namespace_of("shop"), Ok("shop".to_owned()));
        let refused = identity.namespace_of("mall").unwrap_err();
        assert!(
            refused.starts_with(r#"the node says namespace "mall", but its certificate says "shop""#),
            "{refused}"
        );
        for wrong in [
            "https://a/ns/b/sa/c",
            "spiffe://a/ns//sa/c",
            "spiffe:///ns/b/sa/c",
            "spiffe://a/ns/b",
            "spiffe://a/ns/b/sa/c/d",
        ] {
            assert!(Identity::parse(wrong).unwrap_err().contains("is not of the form"), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(Identity::of_certificate(b"x").unwrap_err().contains("cannot be read"));
    }
}
