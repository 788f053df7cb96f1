//! How the platform says no.

use async_graphql::{Context, Error, ErrorExtensions};

/// Why nothing was done, or nothing is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    code: &'static str,
    message: String,
}

/// Codes as the same graph has them behind the public site.
impl Refused {
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { code: "BAD_USER_INPUT", message: message.into() }
    }

    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self { code: "UNPROCESSABLE_ENTITY", message: message.into() }
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { code: "FORBIDDEN", message: message.into() }
    }
}

impl From<Refused> for Error {
    fn from(Refused { code, message }: Refused) -> Self {
        Self::new(message).extend_with(|_, extensions| extensions.set("code", code))
    }
}

/// The value of a field that can be null: with an error, it is.
pub fn or_null<T>(context: &Context<'_>, found: Result<T, Refused>) -> Option<T> {
    found
        .inspect_err(|why| {
            let error = Error::from(why.clone()).into_server_error(context.item.pos);
            context.add_error(context.set_error_path(error));
        })
        .ok()
}
