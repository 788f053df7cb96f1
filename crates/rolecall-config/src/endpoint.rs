//! Which endpoints may be called at all.

use url::Url;

use rolecall_model::Code;

/// What an endpoint has to be, wherever its URL came from: HTTPS, or loopback; no credential inside.
pub fn check_url(text: &str) -> Result<Url, (Code, String, &'static str)> {
    let invalid = |why: &str| {
        (Code::InvalidValue, format!("this endpoint {why}"), "write it like https://api.example/graphql")
    };
    let url = Url::parse(text).map_err(|why| invalid(&format!("is no URL: {why}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            Code::LiteralCredential,
            "the endpoint holds a credential".to_owned(),
            "put it under `credentials`, as a place and not as a value",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err((
            Code::LiteralCredential,
            "the endpoint has a query, in which a credential could stand".to_owned(),
            "write the URL up to the path; a credential goes under `credentials`, as a place and not as a value",
        ));
    }
    let host = url.host_str().ok_or_else(|| invalid("has no host"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err((
            Code::InsecureEndpoint,
            format!("the credential would travel to {host} in the clear"),
            "use https; plain http is for loopback only",
        )),
        scheme => Err(invalid(&format!("has the scheme {scheme}"))),
    }
}

/// Is this host the machine itself?
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
