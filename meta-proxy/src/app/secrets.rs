//! Files of certificates and keys: what became of them is told here.

use std::sync::PoisonError;

use crate::tls::{Certificate, News};

use super::Proxy;

impl Proxy {
    /// Looks at the files of certificates and keys. New connections are made by what they hold now. Tells whether there is
    /// something to be put in force that had been refused for its files.
    pub(super) fn look_at_files(&mut self) -> bool {
        let look = self.files.look();
        let series = self.telemetry.tls();
        for news in look.news {
            match news {
                News::Reloaded(files) => {
                    series.reloads.inc();
                    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
                    tracing::info!(
                        files = files.join(", "),
                        "TLS: changed files are in force for new connections"
                    );
                }
                News::Stale(fault) => {
                    series.reload_failures.inc();
                    tracing::warn!("TLS: {fault}; what the files held before stays in force");
                }
            }
        }
        series.stale.set(look.stale as u64);
        let ends = look.certificates.iter();
        let ends = ends.map(|certificate| (certificate.file.display().to_string(), certificate.not_after));
        *series.certificates.lock().unwrap_or_else(PoisonError::into_inner) = ends.collect();
        for certificate in &look.certificates {
            self.warn_of(certificate);
        }
        self.complained.retain(|known| look.certificates.contains(known));

        let mended = self.state.try_again(&self.codecs, &mut self.files);
        for (kind, name) in &mended {
            tracing::info!("TLS: the files of {kind} {name} can be used now; it is in force");
        }
        if !mended.is_empty() {
            self.resolver.follow(&self.state);
        }
        !mended.is_empty()
    }

    /// Warns, once, of a certificate that nobody will take.
    fn warn_of(&mut self, certificate: &Certificate) {
        if let Some(complaint) = certificate.complaint()
            && !self.complained.contains(certificate)
        {
            self.complained.push(certificate.clone());
            tracing::warn!("TLS: the certificate in {} {complaint}", certificate.file.display());
        }
    }
}
