//! GraphQL over HTTP: documents, batches, transports, answers, retries. Knows no provider.

mod answer;
mod backpressure;
mod batch;
mod document;
mod graphql_error;
mod http;
mod quota;
mod rate_limit;
mod reader;
mod redact;
mod retry;
pub mod storage;
pub mod trace;
mod transport;
pub mod write;

use answer::decode;
pub use answer::{Answer, CallError, PossibleEffect, parse};
pub use backpressure::BackpressureTransport;
pub use batch::{BatchLimits, BatchPart, Joinable, batch_document, fitting_count, split_response};
pub use document::{Context, Mutation, Probe, Query};
pub use graphql_error::{GraphQlError, GraphQlErrors};
pub use http::{
    ClientSettings, Clients, Contexts, HttpSettings, HttpTransport, certificate_problem, client, innermost_cause,
};
pub use quota::{Quota, Quotas};
pub use rate_limit::{MemoryBudget, OnWait, RateLimitTransport};
pub use reader::{Reader, RunCache};
pub use redact::Redactor;
pub use retry::{Backoff, RetryWaits};
pub use storage::{Budget, ReadCheckpoint, ResponseCache, Ticket};
pub use transport::{RateLimit, Request, Response, Transport, TransportError};
