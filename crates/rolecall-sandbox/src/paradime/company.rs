//! All workspaces of a company behind one endpoint, as a company token sees them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::super::{AnySandbox, Fault, Headers, Reply};
use super::access::has_company_token;

/// The workspaces by uid. A request that doesn't select one by header goes to the first, to which the other
/// credentials belong.
pub struct Company {
    first: Arc<dyn AnySandbox>,
    others: Vec<(String, Arc<dyn AnySandbox>)>,
}

impl Company {
    pub fn new(first: Arc<dyn AnySandbox>, others: Vec<(String, Arc<dyn AnySandbox>)>) -> Self {
        Self { first, others }
    }

    fn workspace(&self, headers: &Headers) -> &dyn AnySandbox {
        let uid = headers.get("x-paradime-workspace").filter(|_| has_company_token(headers));
        let other = self.others.iter().find(|(other, _)| uid == Some(other));
        other.map_or(&*self.first, |(_, served)| &**served)
    }

    fn all(&self) -> impl Iterator<Item = &dyn AnySandbox> {
        std::iter::once(&*self.first).chain(self.others.iter().map(|(_, served)| &**served))
    }
}

impl AnySandbox for Company {
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        self.workspace(headers).handle(headers, body)
    }

    fn reset(&self) -> Result<(), String> {
        self.all().try_for_each(AnySandbox::reset)
    }

    fn set(&self, assignments: &[String]) -> Result<(), String> {
        self.all().try_for_each(|served| served.set(assignments))
    }

    fn add_fault(&self, fault: Fault) {
        self.all().for_each(|served| served.add_fault(fault.clone()));
    }
}
