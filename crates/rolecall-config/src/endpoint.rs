//! The check of endpoint URLs.

use url::Url;

use rolecall_model::Code;

/// Parses the URL of an endpoint, from a file or from an environment variable. The URL must use HTTPS, or plain
/// HTTP to a loopback address, and contain no credential. The error is a code, a message and a hint.
pub fn check_url(text: &str) -> Result<Url, (Code, String, &'static str)> {
    let invalid = |why: &str| {
        (Code::InvalidValue, format!("This endpoint {why}."), "Write it like `https://api.example/graphql`.")
    };
    let url = Url::parse(text).map_err(|why| invalid(&format!("is not a URL: {why}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            Code::LiteralCredential,
            "The endpoint contains a credential.".to_owned(),
            "Write the credential's place under `credentials`, never its value.",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err((
            Code::LiteralCredential,
            "The endpoint has a query, which may contain a credential.".to_owned(),
            "End the URL with its path. Write a credential's place under `credentials`, never its value.",
        ));
    }
    let host = url.host_str().ok_or_else(|| invalid("has no host"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err((
            Code::InsecureEndpoint,
            format!("The credential would be sent to {host} without encryption."),
            "Use `https`. Plain `http` is allowed for loopback addresses only.",
        )),
        scheme => Err(invalid(&format!("has the scheme {scheme}"))),
    }
}

/// Returns whether this host is the machine itself.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
