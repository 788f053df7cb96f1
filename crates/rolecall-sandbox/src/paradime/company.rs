//! All workspaces of a company at one endpoint, as a token of the company sees them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::super::{Fault, Headers, Reply, Served};
use super::access::is_of_company;

/// The workspaces by their uids. Whoever doesn't choose one by header reaches the first, where their key was made.
pub struct Company {
    first: Arc<dyn Served>,
    others: Vec<(String, Arc<dyn Served>)>,
}

impl Company {
    pub fn new(first: Arc<dyn Served>, others: Vec<(String, Arc<dyn Served>)>) -> Self {
        Self { first, others }
    }

    fn chosen(&self, headers: &Headers) -> &dyn Served {
        let uid = headers.get("x-paradime-workspace").filter(|_| is_of_company(headers));
        let other = self.others.iter().find(|(other, _)| uid == Some(other));
        other.map_or(&*self.first, |(_, served)| &**served)
    }

    fn all(&self) -> impl Iterator<Item = &dyn Served> {
        std::iter::once(&*self.first).chain(self.others.iter().map(|(_, served)| &**served))
    }
}

impl Served for Company {
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        self.chosen(headers).handle(headers, body)
    }

    fn reset(&self) -> Result<(), String> {
        self.all().try_for_each(Served::reset)
    }

    fn set(&self, assignments: &[String]) -> Result<(), String> {
        self.all().try_for_each(|served| served.set(assignments))
    }

    fn add_fault(&self, fault: Fault) {
        self.all().for_each(|served| served.add_fault(fault.clone()));
    }
}
