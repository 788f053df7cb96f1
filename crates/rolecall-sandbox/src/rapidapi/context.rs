//! Helpers for resolvers: access to the world and the caller, and the ways to report an error.

use async_graphql::{Context, Error, ErrorExtensions, Result};

use super::Shared;
use super::caller::{ApiError, Caller};
use super::switches::Refusal;
use super::world::World;

impl From<ApiError> for Error {
    fn from(ApiError { code, message }: ApiError) -> Self {
        Self::new(message).extend_with(|_, extensions| extensions.set("code", code))
    }
}

/// Resolves a field that every caller may read.
pub fn with_world<T>(context: &Context<'_>, work: impl FnOnce(&World, Caller) -> T) -> Result<T> {
    let (shared, caller) = (context.data::<Shared>()?, context.data::<Caller>()?);
    Ok(work(&shared.lock(), *caller))
}

/// Resolves a nullable field. On an error the field is null and the error is reported.
pub fn resolve<T>(
    context: &Context<'_>,
    work: impl FnOnce(&World, Caller) -> std::result::Result<T, ApiError>,
) -> Result<Option<T>> {
    Ok(with_world(context, work)?.map_err(|why| add_error(context, why)).ok())
}

/// Resolves a field that can't be null. On an error the object around it is null.
pub fn resolve_required<T>(
    context: &Context<'_>,
    work: impl FnOnce(&World, Caller) -> std::result::Result<T, ApiError>,
) -> Result<T> {
    Ok(with_world(context, work)??)
}

fn add_error(context: &Context<'_>, why: ApiError) {
    let error = Error::from(why).into_server_error(context.item.pos);
    context.add_error(context.set_error_path(error));
}

/// Runs a mutation with a nullable answer. With the switch [`Refusal::Null`] a refused mutation answers null and
/// reports no error.
pub fn mutate<T>(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<T, ApiError>,
) -> Result<Option<T>> {
    let (done, refusal) = run_mutation(context, work)?;
    let quiet = refusal == Refusal::Null;
    let done = done.map_err(|why| {
        if !quiet {
            add_error(context, why);
        }
    });
    Ok(done.ok())
}

/// Runs a mutation whose answer can't be null.
pub fn mutate_required<T>(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<T, ApiError>,
) -> Result<T> {
    Ok(run_mutation(context, work)?.0?)
}

/// Runs a mutation that answers with a Boolean. A switch sets the answer to a successful call, which may be null
/// or false.
pub fn mutate_boolean(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<bool, ApiError>,
) -> Result<Option<bool>> {
    let was_done = mutate(context, work)?;
    let answer = with_world(context, |world, _| world.switches.booleans)?;
    Ok(was_done.and_then(|was_done| if was_done { answer } else { Some(false) }))
}

fn run_mutation<T>(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<T, ApiError>,
) -> Result<(std::result::Result<T, ApiError>, Refusal)> {
    let (shared, caller) = (context.data::<Shared>()?, *context.data::<Caller>()?);
    let mut world = shared.lock();
    let refusal = world.switches.refusal;
    Ok((work(&mut world, caller), refusal))
}
