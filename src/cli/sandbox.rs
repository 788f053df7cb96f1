//! `rolecall sandbox`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::exit::{Exit, Failure, sentence};
use super::offer::Offer;
use super::out::Out;
use super::{SANDBOX, embedded};
use rolecall_model::ProviderName;
use rolecall_sandbox::{FAULTS, Fault, definition, serve};

const EXAMPLES: &str = "\
Examples:
  rolecall sandbox --provider bitpanda --listen 127.0.0.1:4100
  rolecall sandbox --provider hive --set release=8.1.2 --set paging=broken
  rolecall sandbox --provider rapidapi --set generation=2023-08 --set booleans=null
  rolecall sandbox --set page-size=2 --set quorum=true
  rolecall sandbox --provider hive --set accept=new@acme.example --no-serve
  rolecall sandbox --fault status=503@listUsers*2 --fault drop-after";

/// Serve the API of a platform from this machine, to try things out.
///
/// The server shares its world with runs that have --sandbox, in .rolecall/sandbox. Switches set what the
/// platform's documentation leaves open, and are kept with the world. Faults make requests fail.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = format!("{EXAMPLES}\n\n`rolecall sandbox --help` lists the switches and the faults."),
    after_long_help = format!("{EXAMPLES}\n\n{}", switches_and_faults())
)]
pub(super) struct SandboxArgs {
    /// Serve the API of this platform.
    #[arg(long, default_value = "bitpanda", value_parser = providers(), help_heading = SANDBOX)]
    provider: ProviderName,
    /// Listen on this address of loopback.
    #[arg(
        long,
        default_value = "127.0.0.1:4100",
        value_name = "ADDRESS",
        value_hint = ValueHint::Other,
        help_heading = SANDBOX
    )]
    listen: SocketAddr,
    /// Serve this organisation instead of the first one. Without it, a company token of Paradime reaches all
    /// workspaces.
    #[arg(
        long,
        value_name = "ID",
        value_parser = Offer::<String>::new(organizations),
        hide_possible_values = true,
        help_heading = SANDBOX
    )]
    organization: Option<String>,
    /// Restore the sandbox's first state, and delete its ledger and deliveries.
    #[arg(long, help_heading = SANDBOX)]
    reset: bool,
    /// Set a switch of the platform, or let an event happen; repeatable.
    #[arg(
        long = "set",
        value_name = "SWITCH=VALUE",
        value_parser = Offer::<String>::new(switch_names),
        hide_possible_values = true,
        help_heading = SANDBOX
    )]
    switches: Vec<String>,
    /// Only change the stored world, with --set and --reset. Don't serve it.
    #[arg(long, conflicts_with_all = ["listen", "faults"], help_heading = SANDBOX)]
    no_serve: bool,
    /// Make requests fail in this way; repeatable.
    #[arg(
        long = "fault",
        value_name = "FAULT",
        value_parser = Offer::<Fault>::new(fault_kinds),
        hide_possible_values = true,
        help_heading = SANDBOX
    )]
    faults: Vec<Fault>,
}

/// Returns a parser that takes the name of a provider.
fn providers() -> impl TypedValueParser<Value = ProviderName> {
    let names = ProviderName::ALL.iter().map(|provider| provider.as_str());
    PossibleValuesParser::new(names).try_map(|word| ProviderName::parse(&word).ok_or("not a provider"))
}

/// Returns the ids of the organisations that the sandboxes start with.
fn organizations() -> Vec<PossibleValue> {
    let ids = |provider: &ProviderName| {
        let provider = *provider;
        definition(provider).seeds.iter().map(move |id| PossibleValue::new(*id).help(provider.as_str()))
    };
    ProviderName::ALL.iter().flat_map(ids).collect()
}

/// Returns the beginnings of settings of all switches and events: `paging=` and so on. Several providers have a switch
/// of one name.
fn switch_names() -> Vec<PossibleValue> {
    let mut names: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for provider in ProviderName::ALL {
        for switch in definition(*provider).switches.iter().chain(definition(*provider).events) {
            names.entry(switch.name).or_default().push((provider.as_str(), switch.about));
        }
    }
    let offer = |(name, of): (&str, Vec<(&str, &str)>)| {
        let providers: Vec<&str> = of.iter().map(|(provider, _)| *provider).collect();
        let about = if let [(_, about)] = &*of { format!(": {about}") } else { String::new() };
        PossibleValue::new(format!("{name}=")).help(format!("{}{about}", providers.join(", ")))
    };
    names.into_iter().map(offer).collect()
}

/// Returns the beginnings of all faults: `status=`, `drop-after` and so on.
fn fault_kinds() -> Vec<PossibleValue> {
    let beginning = |kind: &str| match kind.split_once('=') {
        Some((name, _)) => format!("{name}="),
        None => kind.to_owned(),
    };
    FAULTS.iter().map(|fault| PossibleValue::new(beginning(fault.kind)).help(fault.about)).collect()
}

/// Returns the part of the help that explains every switch, event and fault. Its lines fit 80 columns.
fn switches_and_faults() -> String {
    let mut text = String::new();
    for provider in ProviderName::ALL {
        let _ = writeln!(text, "Switches of {provider}:");
        let defaults = (definition(*provider).defaults)();
        for switch in definition(*provider).switches {
            let default = match &defaults[switch.name] {
                Value::String(word) if word.is_empty() => "empty".to_owned(),
                Value::String(word) => word.clone(),
                value => value.to_string(),
            };
            let _ = writeln!(text, "  {} [default: {default}]\n      {}", switch.syntax(), switch.about);
        }
        text.push('\n');
        if !definition(*provider).events.is_empty() {
            let _ = writeln!(text, "Events of {provider}, which --set lets happen:");
            for event in definition(*provider).events {
                let _ = writeln!(text, "  {}\n      {}", event.syntax(), event.about);
            }
            text.push('\n');
        }
    }
    let _ = writeln!(text, "Faults, each written {}:", Fault::SYNTAX);
    text.push_str("  FIELD restricts a fault to requests that ask for this field. TIMES is 1 if it\n");
    text.push_str("  is left out, except for latency.\n");
    for fault in FAULTS {
        let _ = writeln!(text, "  {}\n      {}", fault.kind, fault.about);
    }
    text.push_str("\nExit codes: 0 stopped by Ctrl-C, 1 error.");
    text
}

pub(super) async fn sandbox(args: &SandboxArgs, out: &mut Out) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::error(format!("The address {} is not on loopback.", args.listen))
            .hint("Listen on 127.0.0.1 or [::1], because everybody knows the sandbox's key."));
    }
    let (organization, sandbox) = embedded::open_all(args.provider, args.organization.as_deref(), args.reset)?;
    sandbox.set(&args.switches).map_err(|why| Failure::error(sentence(why)))?;
    if args.no_serve {
        out.talk(&format!("The sandbox of {} has changed its world of {organization}.\n", args.provider));
        return Ok(Exit::Done);
    }
    for fault in &args.faults {
        fault.check(args.provider).map_err(|why| Failure::error(sentence(why)))?;
        sandbox.add_fault(fault.clone());
    }
    let failed = |why: std::io::Error| {
        Failure::error(format!("The sandbox can't listen on {}: {why}.", args.listen))
            .hint("Choose another port with `--listen`.")
    };
    let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let contexts = rolecall_providers::of(args.provider)
        .headers(&embedded::own_secrets(args.provider), &embedded::sandbox_desired(args.provider, &organization))
        .map_err(|unfit| Failure::error(sentence(unfit)))?;
    let headers = contexts.values().next().into_iter().flatten();
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {}", value.expose_secret())).collect();
    let provider = definition(args.provider);
    let url = format!("http://{address}{}", provider.path);
    out.result(&format!("{url}\n{}\n", headers.join("\n")));
    let query = json!({ "query": provider.sample_query });
    let credentials = (provider.own_credentials)().into_iter().map(|(field, value)| format!("{field} {value}"));
    let credentials: Vec<String> = credentials.collect();
    let host = provider.gateway_host.map_or(String::new(), |host| format!(" and {host} as `host`"));
    let other = match (provider.other_credentials)() {
        others if others.is_empty() => others,
        others => format!("\n{others}\n"),
    };
    let options: Vec<String> = headers.iter().map(|header| format!(" -H '{header}'")).collect();
    out.talk(&format!(
        "The sandbox of {} serves {organization}. Stop it with Ctrl-C. An example:\n\n  curl -s {url} -H 'content-type: application/json'{} \\\n    -d '{query}'\n{}\nTo use it with a file, write the URL as `endpoint`{host}, and set ROLECALL_ALLOWED_HOSTS={}\nThe credentials are: {}\n",
        args.provider,
        options.concat(),
        other,
        [Some(address.ip().to_string()), provider.gateway_host.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(","),
        credentials.join(", ")
    ));
    tokio::select! {
        served = serve(sandbox, listener) => served.map(|()| Exit::Done).map_err(failed),
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}
