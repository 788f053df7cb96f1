//! `rolecall sandbox`

use std::net::SocketAddr;

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::net::TcpListener;

use super::embedded;
use super::exit::{Exit, Failure};
use super::out::Out;
use rolecall_model::ProviderName;
use rolecall_sandbox::{Fault, host, path, serve};

/// Serve the embedded GraphQL server of a provider, on loopback, for any client.
///
/// The world is the one that `--sandbox` runs use, kept in .rolecall/sandbox. What the vendor leaves undocumented is
/// a switch, set with --set and kept with the world; faults come on demand with --fault.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall sandbox --provider bitpanda --listen 127.0.0.1:4100
  rolecall sandbox --provider hive --set release=8.1.2 --set paging=broken
  rolecall sandbox --provider paradime --set disabled-users=listed-active
  rolecall sandbox --provider rapidapi --set generation=early --set booleans=null
  rolecall sandbox --set page-size=2 --set quorum=true
  rolecall sandbox --fault status=503@listUsers*2 --fault drop-after@createOrgApiKey

Switches of bitpanda: page-size, introspection, invitees (hidden, shown), expiry-millis, quorum, clears-unsent,
duplicate-key-names, duplicate-invite (refused, resent), count-off-by, refusal (http401, http403, errors)
Switches of hive: release (8.1.2, newest), paging (fixed, broken), member-page-limit, gateway, mail, introspection,
app-deployments-kept, invitation-window
Switches of paradime: invite-active (refused, ok-ignored, resent), invite-pending and invite-expired (refused,
ok-ignored, resent, replaced), invite-disabled (refused, ok-ignored, readmits, invited), disabled-users (hidden,
listed-active), refusal (errors, ok-false), auth-refusal (http401, http403, errors), email-case (insensitive,
sensitive), empty-errors, null-payload, introspection, security-pack, pending-status
Switches of rapidapi: generation (late, middle, early), rate-limit, minute-millis, retry-after, root-fields (one, many),
introspection, mutation-context (any, team, personal), environment-admin-mutates-anywhere, page-max, slug-suffix,
rename-slug (kept, follows), duplicate-names (refused, allowed), add-outsiders, refusal (errors, null), booleans (true,
null, false), stale-rows (dropped, kept), invite-member (refused, ignored), invite-pending (refused, resent,
duplicated), invite-status, demotion (keeps-teams, drops-teams), deleted-teams (listed, hidden), dates (iso, epoch),
users-count-off-by, teams-count-off-by, total-off-by, team-users-count-off-by
Faults: KIND[@FIELD][*TIMES]; latency=MS, status=CODE, rate-limit=SECONDS, drop-before, drop-after, errors, partial,
html, truncate")]
pub(super) struct SandboxArgs {
    #[arg(long, default_value = "bitpanda", value_parser = provider_name)]
    provider: ProviderName,
    /// Where to listen; loopback only.
    #[arg(long, default_value = "127.0.0.1:4100", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Which seed. The first, where it is left out; at Paradime a token of the company then reaches the others too.
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Start the world anew.
    #[arg(long)]
    reset: bool,
    /// Set a switch.
    #[arg(long = "set", value_name = "SWITCH=VALUE")]
    switches: Vec<String>,
    /// Have something go wrong.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
}

fn provider_name(word: &str) -> Result<ProviderName, String> {
    ProviderName::parse(word).ok_or_else(|| {
        let known: Vec<&str> = ProviderName::ALL.iter().map(|provider| provider.as_str()).collect();
        format!("there are {}", known.join(", "))
    })
}

/// Something to ask a seed for.
fn sample_query(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Bitpanda => {
            "{ organisationManagement { id listUsers { total items { userTrustId email roles } } } }"
        }
        ProviderName::Hive => {
            "{ organization(reference: {bySelector: {organizationSlug: \"acme\"}}) { members { edges { node { user { email } role { name } } } } } }"
        }
        ProviderName::Rapidapi => "{ activeUser { id email Teams { id name } } }",
        ProviderName::Paradime => {
            "{ listUsers { activeUsers { uid email name accountType } invitedUsers { email accountType inviteStatus } } }"
        }
    }
}

/// What else opens a seed.
fn other_credentials(provider: ProviderName) -> String {
    match provider {
        ProviderName::Bitpanda | ProviderName::Hive => String::new(),
        ProviderName::Rapidapi => {
            use rolecall_sandbox::rapidapi::{OWN_PERSONAL_KEY, OWN_TEAM_KEY};
            format!(
                "\nIn the name of a team: x-rapidapi-key: {OWN_TEAM_KEY} with x-rapidapi-identity-key: {OWN_PERSONAL_KEY}\n"
            )
        }
        ProviderName::Paradime => {
            use rolecall_sandbox::paradime::{OWN_COMPANY_TOKEN, OWN_WORKSPACE_TOKEN};
            format!(
                "\nInstead of the key and its secret: authorization: Bearer {OWN_WORKSPACE_TOKEN}, or Bearer {OWN_COMPANY_TOKEN} with x-paradime-workspace\n"
            )
        }
    }
}

pub(super) async fn sandbox(args: &SandboxArgs, out: &mut Out) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::error(format!("{} isn't loopback", args.listen))
            .hint("the sandbox's key is known to everybody: listen on 127.0.0.1 or [::1]"));
    }
    let (organization, sandbox) = embedded::open_all(args.provider, args.organization.as_deref(), args.reset)?;
    sandbox.set(&args.switches).map_err(Failure::error)?;
    for fault in &args.faults {
        sandbox.add_fault(fault.clone());
    }
    let failed = |why: std::io::Error| {
        Failure::error(format!("{} can't be listened on: {why}", args.listen)).hint("choose another with --listen")
    };
    let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let contexts = rolecall_providers::of(args.provider)
        .headers(&embedded::own_secrets(args.provider), &embedded::sandbox_desired(args.provider, &organization))
        .map_err(|unfit| Failure::error(unfit.to_string()))?;
    let headers = contexts.values().next().into_iter().flatten();
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {}", value.expose_secret())).collect();
    let url = format!("http://{address}{}", path(args.provider));
    out.result(&format!("{url}\n{}\n", headers.join("\n")));
    let query = json!({ "query": sample_query(args.provider) });
    let shown: Vec<String> = headers.iter().map(|header| format!(" -H '{header}'")).collect();
    out.talk(&format!(
        "The sandbox of {} serves {organization}. Stop it with Ctrl-C. For example:\n\n  curl -s {url} -H 'content-type: application/json'{} \\\n    -d '{query}'\n{}\nFor rolecall itself, as the endpoint that a file names: ROLECALL_ALLOWED_HOSTS={}\n",
        args.provider,
        shown.concat(),
        other_credentials(args.provider),
        [Some(address.ip().to_string()), host(args.provider).map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(",")
    ));
    tokio::select! {
        served = serve(sandbox, listener) => served.map(|()| Exit::Done).map_err(failed),
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}
