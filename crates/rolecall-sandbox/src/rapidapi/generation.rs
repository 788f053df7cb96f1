//! The schema of each generation. Fields that a generation lacks are marked with `visible`.

use std::sync::OnceLock;

use async_graphql::{Context, EmptySubscription, MergedObject, ObjectType, Request, Response, Schema};
use futures_util::FutureExt;
use serde_json::Value;

use super::mutation::Mutation;
use super::query::{CommonQuery, UserConnectionQuery, UserListQuery};
use super::sdl;
use super::shape::Shape;
use super::switches::Generation;

/// Whether the generation has the additions that only the documentation shows.
pub fn only_documented(context: &Context<'_>) -> bool {
    context.data::<Generation>().is_ok_and(|generation| *generation == Generation::Documented)
}

/// The queries of the generation in which `users` returns a list.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ListQuery(CommonQuery, UserListQuery);

/// The queries of the generation in which `users` returns a connection.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
struct ConnectionQuery(CommonQuery, UserConnectionQuery);

type SchemaCell<Q> = OnceLock<Schema<Q, Mutation, EmptySubscription>>;

// Each schema is built once per process, because tests open many sandboxes.
static AUGUST_2023: SchemaCell<ListQuery> = OnceLock::new();
static DOCUMENTED: SchemaCell<ConnectionQuery> = OnceLock::new();

fn schema<Q: ObjectType + Default + 'static>(
    made: &'static SchemaCell<Q>,
) -> &'static Schema<Q, Mutation, EmptySubscription> {
    made.get_or_init(|| Schema::build(Q::default(), Mutation, EmptySubscription).disable_suggestions().finish())
}

impl Generation {
    pub(super) async fn execute(self, request: Request) -> Response {
        let request = request.data(self);
        match self {
            Self::August2023 => schema(&AUGUST_2023).execute(request).await,
            Self::Documented => schema(&DOCUMENTED).execute(request).await,
        }
    }

    /// Returns the schema in SDL, with exactly the types and fields that introspection shows.
    pub(super) fn sdl(self) -> String {
        let executed = self.execute(Request::new(sdl::INTROSPECTION)).now_or_never();
        let data = executed.and_then(|response| serde_json::to_value(response.data).ok()).unwrap_or(Value::Null);
        sdl::print(&data["__schema"])
    }

    pub(super) fn shape(self) -> &'static Shape {
        static SHAPES: OnceLock<[Shape; 2]> = OnceLock::new();
        let shape_of = |generation: Self| Shape::of(&generation.sdl());
        let [middle, late] = SHAPES.get_or_init(|| [Self::August2023, Self::Documented].map(shape_of));
        match self {
            Self::August2023 => middle,
            Self::Documented => late,
        }
    }
}
