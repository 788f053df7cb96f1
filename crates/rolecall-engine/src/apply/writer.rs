//! The client that can write. It exists only in here: everything that plans holds a `Reader`.

use secrecy::zeroize::Zeroize;
use serde_json::Value;

use super::{Apply, interrupt};
use rolecall_graphql::{Budget, CallError, Part, Request, Response, Ticket, TransportError, split, write};
use rolecall_model::{Change, Mutation};
use rolecall_providers::MutationResult;

/// One mutation on its way, with the ids that weren't known when it was planned.
pub(super) struct PreparedMutation<'a> {
    /// Among the plan's mutations.
    pub place: usize,
    pub mutation: Mutation,
    /// The first of those that it makes.
    pub change: &'a Change,
}

pub(super) type Answer = Result<MutationResult, CallError>;

/// Sends each of these once, in one document. Repeated is only what certainly never ran: a request that was refused for
/// its rate, or that never left. `ticket`: of the operation's own limit.
pub(super) async fn send(
    apply: &Apply<'_>,
    prepared_mutations: &[PreparedMutation<'_>],
    ticket: Option<Ticket>,
) -> Vec<Answer> {
    let answered = match request(apply, prepared_mutations) {
        Ok(request) => send_patiently(apply, prepared_mutations, &request, ticket).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| prepared_mutations.iter().map(|_| Err(error.clone())).collect())
}

fn request(apply: &Apply<'_>, prepared_mutations: &[PreparedMutation<'_>]) -> Result<Request, CallError> {
    let parts = parts(apply, prepared_mutations)?;
    if let ([part], [sending]) = (&*parts, prepared_mutations) {
        let variables = sending.mutation.variables.clone().into_iter().collect();
        return Ok(write::mutation(part.mutation, Value::Object(variables)));
    }
    let inputs = prepared_mutations
        .iter()
        .map(|sending| sending.mutation.variables.get("input").cloned().unwrap_or_default());
    let not_joinable = || TransportError::NotSent("one of these mutations is only sent by itself".to_owned());
    Ok(write::batch(&parts, inputs.collect()).ok_or_else(not_joinable)?)
}

fn parts<'a>(
    apply: &Apply<'_>,
    prepared_mutations: &'a [PreparedMutation<'_>],
) -> Result<Vec<Part<'a>>, CallError> {
    let part = |sending: &'a PreparedMutation<'_>| {
        let Mutation { id, operation, .. } = &sending.mutation;
        let unknown = || TransportError::NotSent(format!("there is no operation {operation}"));
        Ok(Part { alias: id, mutation: apply.provider.document(operation).ok_or_else(unknown)? })
    };
    prepared_mutations.iter().map(part).collect()
}

/// Where all of it certainly never ran, it is tried again. No wait outlasts an interrupt.
async fn send_patiently(
    apply: &Apply<'_>,
    prepared_mutations: &[PreparedMutation<'_>],
    request: &Request,
    mut ticket: Option<Ticket>,
) -> Result<Vec<Answer>, CallError> {
    let mut patience = apply.backoff.patience();
    loop {
        let answered = attempt(apply, prepared_mutations, request, ticket.take()).await;
        let errors: Option<Vec<&CallError>> = match &answered {
            Ok(answers) => answers.iter().map(|answer| answer.as_ref().err()).collect(),
            Err(error) => Some(vec![error]),
        };
        let errors = errors.filter(|errors| errors.iter().all(|error| never_ran(apply, error)));
        let Some(error) = errors.and_then(|errors| errors.first().copied().cloned()) else { return answered };
        let Some(wait) = patience.before_trying_again(request.operation_name, &error) else { return Err(error) };
        // Whoever waits for the platform says so.
        let waited = async { tokio::join!(tokio::time::sleep(wait), apply.transport.ready()) };
        if interrupt::unless(apply, waited).await.is_none() {
            return Err(error);
        }
    }
}

fn never_ran(apply: &Apply<'_>, error: &CallError) -> bool {
    match error {
        CallError::RateLimited { .. } => apply.provider.repeats_limited(),
        CallError::Transport(TransportError::NotSent(_)) => true,
        _ => false,
    }
}

async fn attempt(
    apply: &Apply<'_>,
    prepared_mutations: &[PreparedMutation<'_>],
    request: &Request,
    ticket: Option<Ticket>,
) -> Result<Vec<Answer>, CallError> {
    // What has a limit of its own is sent by itself.
    let limited_by = prepared_mutations.first().map(|first| &*first.mutation.operation);
    let limited_by =
        limited_by.and_then(|operation| Some((apply.quotas.budget(operation), apply.provider.quota(operation)?)));
    let ticket = match (&limited_by, ticket) {
        (Some((budget, quota)), None) => loop {
            match budget.take(*quota) {
                Ok(ticket) => break Some(ticket),
                Err(wait) => interrupt::unless(apply, tokio::time::sleep(wait)).await.ok_or_else(given_up)?,
            }
        },
        (_, ticket) => ticket,
    };
    // What the platform asks to wait is waited for here, where it can be given up.
    interrupt::unless(apply, apply.transport.ready()).await.ok_or_else(given_up)?;
    let answer = apply.transport.send(request).await;
    if let (Some((budget, _)), Some(ticket)) = (&limited_by, ticket) {
        match answer {
            Err(TransportError::NotSent(_)) => budget.give_back(ticket),
            Ok(_) | Err(_) => budget.answered(ticket),
        }
    }
    let answers = read(apply, prepared_mutations, request, answer)?;
    let limited = |answer: &Answer| matches!(answer, Err(CallError::RateLimited { .. }));
    if let Some((budget, quota)) = limited_by.filter(|_| answers.iter().any(limited)) {
        // Another hand has used up what there was.
        budget.used_up(quota);
    }
    Ok(answers)
}

/// Only what never left may be given up.
fn given_up() -> CallError {
    CallError::RateLimited { retry_after: None }
}

fn read(
    apply: &Apply<'_>,
    prepared_mutations: &[PreparedMutation<'_>],
    request: &Request,
    answer: Result<Response, TransportError>,
) -> Result<Vec<Answer>, CallError> {
    let mut response = answer.map_err(|error| apply.redactor.clean_error(error))?;
    tracing::info!(operation = request.operation_name, status = response.status, "wrote");
    apply.redactor.clear(&mut response.body);
    let result = |sending: &PreparedMutation<'_>, response: &Response| {
        apply.provider.receipt(sending.change, &sending.mutation, response, apply.redactor)
    };
    let answers = match prepared_mutations {
        [sending] => vec![result(sending, &response)],
        prepared_mutations => {
            let parts = parts(apply, prepared_mutations)?;
            let result_of = |(sending, part): (_, Result<Response, CallError>)| result(sending, &part?);
            prepared_mutations.iter().zip(split(&parts, &response)).map(result_of).collect()
        }
    };
    // It may hold a secret.
    response.body.zeroize();
    Ok(answers)
}
