//! The schema of each generation. Fields that a generation lacks are marked with `visible`.

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

/// Whether the generation has the additions of August 2023.
pub fn since_middle(context: &Context<'_>) -> bool {
    context.data::<Generation>().is_ok_and(|generation| *generation >= Generation::Middle)
}

/// Whether the generation has the additions that only the documentation shows.
pub fn only_late(context: &Context<'_>) -> bool {
    context.data::<Generation>().is_ok_and(|generation| *generation == Generation::Late)
}

/// The queries of the generations in which `users` returns a list.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ListQuery(CommonQuery, UserListQuery);

/// The queries of the generation in which `users` returns a connection.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ConnectionQuery(CommonQuery, UserConnectionQuery);

#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct EarlyMutation(CommonMutation, EarlyUpdateUser);

#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
struct LaterMutation(CommonMutation, UpdateUser);

type SchemaCell<Q, M> = OnceLock<Schema<Q, M, EmptySubscription>>;

// Each schema is built once per process, because tests open many sandboxes.
static EARLY: SchemaCell<ListQuery, EarlyMutation> = OnceLock::new();
static MIDDLE: SchemaCell<ListQuery, LaterMutation> = OnceLock::new();
static LATE: SchemaCell<ConnectionQuery, LaterMutation> = OnceLock::new();

fn schema<Q: ObjectType + Default + 'static, M: ObjectType + Default + 'static>(
    made: &'static SchemaCell<Q, M>,
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

    /// Returns the schema in SDL, with exactly the types and fields that introspection shows.
    pub(super) fn sdl(self) -> String {
        let executed = self.execute(Request::new(sdl::INTROSPECTION)).now_or_never();
        let data = executed.and_then(|response| serde_json::to_value(response.data).ok()).unwrap_or(Value::Null);
        sdl::print(&data["__schema"])
    }

    pub(super) fn shape(self) -> &'static Shape {
        static SHAPES: OnceLock<[Shape; 3]> = OnceLock::new();
        let shape_of = |generation: Self| Shape::of(&generation.sdl());
        let [early, middle, late] = SHAPES.get_or_init(|| [Self::Early, Self::Middle, Self::Late].map(shape_of));
        match self {
            Self::Early => early,
            Self::Middle => middle,
            Self::Late => late,
        }
    }
}
