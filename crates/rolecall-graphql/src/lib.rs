//! GraphQL over HTTP: documents, transport, answers, retries. Knows no provider.

mod answer;
mod batch;
mod considerate;
mod document;
mod graphql_error;
mod http;
mod lasting;
mod pace;
mod paced;
mod reader;
mod redact;
mod retry;
mod transport;
pub mod write;

use answer::understood;
pub use answer::{Answer, CallError, Effect, parse};
pub use batch::{Joinable, Limits, Part, document, fitting, split};
pub use considerate::ConsiderateTransport;
pub use document::{Context, Mutation, Query};
pub use graphql_error::GraphQlError;
pub use http::{ClientSettings, Contexts, HttpSettings, HttpTransport, client};
pub use lasting::{Budget, Shelf, Spool, Ticket};
pub use pace::{Pace, Pacer};
pub use paced::{MemoryBudget, PacedTransport, Told};
pub use reader::{Kept, Reader};
pub use redact::Redactor;
pub use retry::Backoff;
pub use transport::{RateLimit, Request, Response, Transport, TransportError};
