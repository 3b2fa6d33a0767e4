//! How batch callers are told from others.

use peers::dubbo::Call;

/// The attachment in which Apache Dubbo 3 sends the name of the calling application.
pub const APPLICATION: &str = "remote.application";

/// How batch callers are told from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Marking {
    /// They say so themselves, by an attachment
    #[default]
    Attachment,
    /// By the name of their application, which every consumer sends
    Application,
}

impl Marking {
    /// The router that knows them, relative to the example's folder.
    pub fn router(self) -> &'static str {
        match self {
            Marking::Attachment => "router/metarouter.yaml",
            Marking::Application => "router-by-application/metarouter.yaml",
        }
    }

    /// A user's call.
    pub fn user(self, call: Call) -> Call {
        match self {
            Marking::Attachment => call,
            Marking::Application => call.attachment(APPLICATION, "shop-frontend"),
        }
    }

    /// A batch job's call.
    pub fn batch(self, call: Call) -> Call {
        match self {
            Marking::Attachment => call.attachment("batchJob", "true"),
            Marking::Application => call.attachment(APPLICATION, "batch-reports"),
        }
    }
}
