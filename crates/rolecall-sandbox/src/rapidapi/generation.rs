//! The schema as each generation has it. What a generation lacks says so beside its field: `visible`.

use std::sync::OnceLock;

use async_graphql::{
    Context, EmptySubscription, MergedObject, ObjectType, Request, Response, Schema, SchemaBuilder,
};
use futures_util::FutureExt;
use serde_json::Value;

use super::mutation::{CommonMutation, EarlyUpdateUser, UpdateUser};
use super::query::{CommonQuery, UserConnectionQuery, UserListQuery};
use super::sdl;
use super::shape::Shape;
use super::switches::Generation;

/// In the schema since August 2023.
pub fn since_middle(context: &Context<'_>) -> bool {
    context.data::<Generation>().is_ok_and(|generation| *generation >= Generation::Middle)
}

/// In the documentation only.
pub fn only_late(context: &Context<'_>) -> bool {
    context.data::<Generation>().is_ok_and(|generation| *generation == Generation::Late)
}

/// Answers `users` with a list.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ListQuery(CommonQuery, UserListQuery);

/// Answers `users` with a connection.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ConnectionQuery(CommonQuery, UserConnectionQuery);

#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct EarlyMutation(CommonMutation, EarlyUpdateUser);

#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct LaterMutation(CommonMutation, UpdateUser);

type Made<Q, M> = OnceLock<Schema<Q, M, EmptySubscription>>;

// Made once: tests open many sandboxes.
static EARLY: Made<ListQuery, EarlyMutation> = OnceLock::new();
static MIDDLE: Made<ListQuery, LaterMutation> = OnceLock::new();
static LATE: Made<ConnectionQuery, LaterMutation> = OnceLock::new();

fn schema<Q: ObjectType + Default + 'static, M: ObjectType + Default + 'static>(
    made: &'static Made<Q, M>,
) -> &'static Schema<Q, M, EmptySubscription> {
    let build = || -> SchemaBuilder<Q, M, EmptySubscription> {
        Schema::build(Q::default(), M::default(), EmptySubscription)
    };
    made.get_or_init(|| build().disable_suggestions().finish())
}

impl Generation {
    pub(super) async fn execute(self, request: Request) -> Response {
        let request = request.data(self);
        match self {
            Self::Early => schema(&EARLY).execute(request).await,
            Self::Middle => schema(&MIDDLE).execute(request).await,
            Self::Late => schema(&LATE).execute(request).await,
        }
    }

    /// The schema as SDL: what introspection shows, and no more.
    pub(super) fn sdl(self) -> String {
        let answered = self.execute(Request::new(sdl::INTROSPECTION)).now_or_never();
        let shown = answered.and_then(|answered| serde_json::to_value(answered.data).ok()).unwrap_or(Value::Null);
        sdl::print(&shown["__schema"])
    }

    pub(super) fn shape(self) -> &'static Shape {
        static SHAPES: OnceLock<[Shape; 3]> = OnceLock::new();
        let of = |generation: Self| Shape::of(&generation.sdl());
        let [early, middle, late] = SHAPES.get_or_init(|| [Self::Early, Self::Middle, Self::Late].map(of));
        match self {
            Self::Early => early,
            Self::Middle => middle,
            Self::Late => late,
        }
    }
}
