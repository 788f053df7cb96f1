//! Runs the built program as a user would, in a folder of its own.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rolecall_model::ProviderName;
use rolecall_sandbox::definition;
use tempfile::TempDir;

/// An empty folder, and an environment without any variable of this machine.
pub struct Env {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// The output of a run: stdout, stderr and exit code.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Said {
    /// Returns everything as one text, so that a snapshot covers all of it.
    pub fn all(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}[exit {}]", self.stdout, self.code);
        if !self.stderr.is_empty() {
            let _ = writeln!(text, "--- stderr\n{}", self.stderr);
        }
        text
    }
}

impl Env {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), variables: Vec::new() }
    }

    /// Creates a folder with the example in it.
    pub fn with_example() -> Self {
        let env = Self::new();
        env.write("bitpanda.yaml", example("bitpanda.yaml"));
        env
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        // Deliveries name programs, so they need the path.
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // The lock of an organisation is in the user's home.
        command.env("HOME", self.folder.path());
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        self.said_to(args, &self.command().args(args).output().unwrap())
    }

    pub fn said(&self, output: &Output) -> Said {
        self.said_to(&[], output)
    }

    /// Returns what a run with these arguments has said, with `$TODAY` for the date of today. A date that the arguments or
    /// the files name stays, because on another day it isn't that of today.
    fn said_to(&self, args: &[&str], output: &Output) -> Said {
        let files = std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        let files = files
            .map(|file| file.path())
            .filter(|file| file.extension().is_some_and(|it| it == "yaml") && file.is_file());
        let files: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
        let names = |day: &String| args.contains(&&**day) || files.iter().any(|it| it.contains(day));
        // A run may begin before midnight and be compared after it.
        let now = jiff::Timestamp::now();
        let days = [now, now - jiff::SignedDuration::from_mins(5)];
        let days = days.map(|at| at.strftime("%Y-%m-%d").to_string());
        let days: Vec<&String> = days.iter().filter(|day| !names(day)).collect();
        let clean = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let text = text.replace(&self.folder.path().display().to_string(), "$DIR");
            days.iter().fold(text, |text, day| text.replace(*day, "$TODAY"))
        };
        Said {
            stdout: clean(&output.stdout),
            stderr: clean(&output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Serves this folder's sandbox until the result is dropped.
    pub fn serve(&self, args: &[&str]) -> Server {
        let mut child = self
            .command()
            .args(["sandbox", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Server { child, url: url.trim().to_owned() }
    }
}

/// Returns an example of the repository.
pub fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A running `rolecall sandbox`.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// Returns the example, pointed at this server.
    pub fn example(&self) -> String {
        example("bitpanda.yaml").replace("https://tapi-sandbox.trustology-test.com/graphql", &self.url)
    }

    /// Sends a query, as any client would. Returns the status and the body.
    pub fn post(&self, key: Option<&str>, query: &str) -> (u16, String) {
        let body = serde_json::json!({ "query": query }).to_string();
        let address = self.url.trim_start_matches("http://").trim_end_matches("/graphql");
        let mut stream = TcpStream::connect(address).unwrap();
        let key = key.map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
        write!(
            stream,
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{key}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The host name that RapidAPI's gateway expects.
const HOST: &str = "platform-graphql.sandbox.rapidapi.example";

/// The hosts of all examples that are served.
pub const ALLOWED_HOSTS: &str = "127.0.0.1,platform-graphql.sandbox.rapidapi.example";

/// Creates a folder with an example as `file.yaml`, and serves its platform over HTTP.
pub fn served(provider: ProviderName, args: &[&str]) -> (Env, Server) {
    let mut env = Env::new();
    let server = env.serve_example(provider, args);
    for (variable, secret) in env.credentials(provider) {
        env.set(&variable, secret);
    }
    env.set("ROLECALL_ALLOWED_HOSTS", ALLOWED_HOSTS);
    (env, server)
}

impl Env {
    /// Returns the variables that `file.yaml` names for the credentials of its platform, with the sandbox's secrets.
    pub fn credentials(&self, provider: ProviderName) -> Vec<(String, &'static str)> {
        let file = self.read("file.yaml");
        let own = (definition(provider).own_credentials)();
        let variable = |(credential, secret): (&str, &'static str)| {
            let place = format!("{credential}: {{ env: ");
            let found = file.lines().find_map(|line| line.trim_start().strip_prefix(&*place)?.strip_suffix(" }"));
            (found.unwrap_or_else(|| panic!("no variable for {credential}")).to_owned(), secret)
        };
        own.into_iter().map(variable).collect()
    }

    /// Serves the world of an example in its last state, and points `file.yaml` there.
    pub fn serve_example(&mut self, provider: ProviderName, args: &[&str]) -> Server {
        let name = provider.as_str();
        let more: &[&str] = if provider == ProviderName::Rapidapi { &["--set", "rate-limit=0"] } else { &[] };
        let server = self.serve(&[&["--provider", name], args, more].concat());
        let mut file = example(&format!("{name}.yaml"));
        let endpoint = file.lines().find(|line| line.starts_with("endpoint: https:")).map(ToOwned::to_owned);
        if let Some(endpoint) = endpoint {
            file = file.replace(&endpoint, &format!("endpoint: {}", server.url));
        }
        file = file
            .replace("host: graphql-platform.p.rapidapi.com", &format!("host: {HOST}"))
            .replace("requests_per_minute: 10", "requests_per_minute: 6000")
            .replace(
                "  token: { env: PARADIME_TOKEN }",
                "  api_key: { env: API_KEY }\n  api_secret: { env: API_SECRET }",
            );
        self.write("file.yaml", file);
        self.set("PARADIME_ENDPOINT", &server.url);
        server
    }

    /// Runs the program from a shell script, which may set something up first: `$0` is the program, `$@` its
    /// arguments.
    pub fn run_within(&self, script: &str, args: &[&str]) -> Said {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_rolecall")]).args(args);
        shell.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        shell.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        for (name, value) in &self.variables {
            shell.env(name, value);
        }
        self.said(&shell.output().unwrap())
    }
}
