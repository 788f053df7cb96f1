//! What resolvers work with: the world, whoever calls, and the ways to say no.

use async_graphql::{Context, Error, ErrorExtensions, Result};

use super::Shared;
use super::caller::{Caller, Refused};
use super::switches::Refusal;
use super::world::World;

impl From<Refused> for Error {
    fn from(Refused { code, message }: Refused) -> Self {
        Self::new(message).extend_with(|_, extensions| extensions.set("code", code))
    }
}

/// What can be seen without a doubt.
pub fn with_world<T>(context: &Context<'_>, work: impl FnOnce(&World, Caller) -> T) -> Result<T> {
    let (shared, caller) = (context.data::<Shared>()?, context.data::<Caller>()?);
    Ok(work(&shared.lock(), *caller))
}

/// A field that can be null: beside the error, it is.
pub fn resolve<T>(
    context: &Context<'_>,
    work: impl FnOnce(&World, Caller) -> std::result::Result<T, Refused>,
) -> Result<Option<T>> {
    Ok(with_world(context, work)?.map_err(|why| complain(context, why)).ok())
}

/// A field that can't be null.
pub fn resolve_required<T>(
    context: &Context<'_>,
    work: impl FnOnce(&World, Caller) -> std::result::Result<T, Refused>,
) -> Result<T> {
    Ok(with_world(context, work)??)
}

fn complain(context: &Context<'_>, why: Refused) {
    let error = Error::from(why).into_server_error(context.item.pos);
    context.add_error(context.set_error_path(error));
}

/// A mutation whose answer can be null. Refused without a word, it is null without an error.
pub fn mutate<T>(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<T, Refused>,
) -> Result<Option<T>> {
    let (done, refusal) = done(context, work)?;
    let quiet = refusal == Refusal::Null;
    let done = done.map_err(|why| {
        if !quiet {
            complain(context, why);
        }
    });
    Ok(done.ok())
}

/// A mutation whose answer can't be null.
pub fn act_for_sure<T>(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<T, Refused>,
) -> Result<T> {
    Ok(done(context, work)?.0?)
}

/// A mutation that answers with a Boolean, which may say another thing than what happened.
pub fn settle(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<bool, Refused>,
) -> Result<Option<bool>> {
    let was_done = mutate(context, work)?;
    let said = with_world(context, |world, _| world.switches.booleans)?;
    Ok(was_done.and_then(|was_done| if was_done { said } else { Some(false) }))
}

fn done<T>(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Caller) -> std::result::Result<T, Refused>,
) -> Result<(std::result::Result<T, Refused>, Refusal)> {
    let (shared, caller) = (context.data::<Shared>()?, *context.data::<Caller>()?);
    let mut world = shared.lock();
    let refusal = world.switches.refusal;
    Ok((work(&mut world, caller), refusal))
}
