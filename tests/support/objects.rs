//! A store of objects over HTTP, with the conditions that a ledger needs, and with faults. Also a real object store on
//! loopback, where the feature is on.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The token that the store asks for.
pub const TOKEN: &str = "of-the-ledger";

/// The faults of a store.
#[derive(Default)]
pub struct Faults {
    /// The condition that it ignores.
    pub ignores: Option<&'static str>,
    /// The number of writes that it carries out without an answer, and of those that it refuses with 503.
    pub unanswered: usize,
    pub refused: usize,
    /// Whether it answers no request, and carries them out.
    pub is_silent: bool,
}

/// A store that runs until the test ends.
#[derive(Clone)]
pub struct ObjectStore {
    /// The folder of the objects, over plain HTTP.
    pub url: String,
    /// The variables that a process needs for it, and the value of `--ledger`.
    pub variables: Vec<(&'static str, String)>,
    pub ledger: String,
    pub faults: Arc<Mutex<Faults>>,
    /// The `authorization` of plain requests.
    authorization: String,
    /// The process of the store. `None` if it is in memory.
    _process: Option<Arc<Process>>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves S3 with one request at a time, so that no other write comes between a condition and its write.
const MOTO: &str = r#"
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
print(server.port, flush=True)
server.serve_forever()
"#;

type Objects = BTreeMap<String, (u64, Vec<u8>)>;

/// A request: method, path, headers with lower-case names, body.
struct Received {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let mut first = lines.first()?.split(' ').map(ToOwned::to_owned);
        let (method, path) = (first.next()?, first.next()?);
        let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let mut received = Self { method, path, headers, body: Vec::new() };
        received.body = vec![0; received.header("content-length").map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut received.body).ok()?;
        Some(received)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }
}

/// Carries out one request. Returns the status, the tag and the body, or nothing if the connection is to break.
fn answer(received: Received, objects: &Mutex<Objects>, faults: &Mutex<Faults>) -> Option<(u16, u64, Vec<u8>)> {
    let (mut objects, mut faults) = (objects.lock().unwrap(), faults.lock().unwrap());
    if received.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Some((401, 0, Vec::new()));
    }
    let found = objects.get(&received.path).cloned();
    let version = found.as_ref().map_or(0, |(version, _)| *version);
    if received.method == "GET" && !faults.is_silent {
        return Some(found.map_or((404, 0, Vec::new()), |(version, body)| (200, version, body)));
    }
    if received.method == "GET" {
        return None;
    }
    if faults.refused > 0 {
        faults.refused -= 1;
        return Some((503, 0, Vec::new()));
    }
    let heeds = |header: &str| faults.ignores != Some(header);
    let is_stale =
        received.header("if-match").is_some_and(|tag| heeds("If-Match") && tag != format!("\"{version}\""));
    let exists = received.header("if-none-match").is_some_and(|_| heeds("If-None-Match") && found.is_some());
    if is_stale || exists {
        return Some((412, 0, Vec::new()));
    }
    objects.insert(received.path, (version + 1, received.body));
    if faults.unanswered > 0 {
        faults.unanswered -= 1;
        return None;
    }
    if faults.is_silent {
        return None;
    }
    Some((200, version + 1, Vec::new()))
}

impl ObjectStore {
    /// Starts a store in memory.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ledgers", listener.local_addr().unwrap());
        let (objects, faults) = (Arc::new(Mutex::new(Objects::new())), Arc::new(Mutex::new(Faults::default())));
        let shared = Arc::clone(&faults);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (objects, faults) = (Arc::clone(&objects), Arc::clone(&shared));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(received) = Received::read(&stream) else { return };
                    let Some((status, version, body)) = answer(received, &objects, &faults) else { return };
                    let head = format!(
                        "HTTP/1.1 {status} X\r\netag: \"{version}\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
                });
            }
        });
        let variables = vec![("ROLECALL_LEDGER_TOKEN", TOKEN.to_owned())];
        Self {
            ledger: url.clone(),
            url,
            variables,
            faults,
            authorization: format!("Bearer {TOKEN}"),
            _process: None,
        }
    }

    /// Starts a server of S3 on loopback: the Python package `moto[server,s3]`.
    pub fn s3() -> Self {
        let python = std::env::var("MOTO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut process = Command::new(python);
        let process = process.args(["-c", MOTO]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = Process(process.unwrap());
        let mut port = String::new();
        BufReader::new(process.0.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "there is no moto: install the Python package `moto[server,s3]`");
        let endpoint = format!("http://127.0.0.1:{}", port.trim());
        let variables = [
            ("AWS_ENDPOINT_URL", &*endpoint),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "access-key-of-the-ledger"),
            ("AWS_SECRET_ACCESS_KEY", "secret-key-of-the-ledger"),
        ];
        let mut store = Self {
            url: format!("{endpoint}/ledgers"),
            ledger: "s3://ledgers".to_owned(),
            variables: variables.map(|(name, value)| (name, value.to_owned())).to_vec(),
            faults: Arc::default(),
            authorization: "AWS4-HMAC-SHA256 Credential=plain/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=none"
                .to_owned(),
            _process: Some(Arc::new(process)),
        };
        store.variables.sort_unstable();
        let location = r"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
        assert_eq!(store.request("PUT", "", "", location).0, 200);
        store
    }

    /// Returns a folder of this store.
    pub fn folder(&self, name: &str) -> Self {
        let below = |text: &str| format!("{text}/{name}");
        Self { url: below(&self.url), ledger: below(&self.ledger), ..self.clone() }
    }

    /// Sends one plain request. Returns the status, the tag and the body.
    pub fn request(&self, method: &str, name: &str, condition: &str, body: &str) -> (u16, String, String) {
        let (host, folder) = self.url.trim_start_matches("http://").split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let name = if name.is_empty() { String::new() } else { format!("/{name}") };
        write!(
            stream,
            "{method} /{folder}{name} HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\ncontent-type: application/octet-stream\r\n{condition}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.authorization,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let tag = head
            .lines()
            .find_map(|line| Some(line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("etag"))?.1));
        (status, tag.unwrap_or_default().to_owned(), body.to_owned())
    }

    /// Returns the text of an object, which is empty if there is none.
    pub fn text(&self, name: &str) -> String {
        let (status, _, body) = self.request("GET", name, "", "");
        if status == 200 { body } else { String::new() }
    }

    /// Changes a lock that isn't released: `renewed`, as its holder does, or else as if its holder had died an hour ago.
    pub fn touch_lock(&self, ledger: &str, renewed: bool) {
        let name = format!("{ledger}.lock");
        let (status, tag, text) = self.request("GET", &name, "", "");
        let mut lock: Value = if status == 200 { serde_json::from_str(&text).unwrap() } else { return };
        if lock["released"] == json!(false) {
            let now = Timestamp::now();
            lock["at"] = json!(if renewed { now } else { now - SignedDuration::from_hours(1) });
            self.request("PUT", &name, &format!("if-match: {tag}\r\n"), &lock.to_string());
        }
    }
}
