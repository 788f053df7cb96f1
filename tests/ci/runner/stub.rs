//! Programs that scripts call and that aren't here: what they are called with goes to a test, which answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

/// One call of a stubbed program.
pub struct Call {
    pub program: String,
    pub folder: String,
    /// `STUB_CONTEXT` of its environment.
    pub context: String,
    pub args: Vec<String>,
    /// What it reads, of one that does.
    pub stdin: String,
}

/// How it ends: its exit code, and what it prints: on stderr, if that isn't 0.
pub type Answer = (u8, String);

/// Bash speaks TCP itself, so that nothing else has to be installed. The last word of an answer is its exit code.
const SCRIPT: &str = r#"#!/usr/bin/env bash
read=
READS
exec 3<>"/dev/tcp/127.0.0.1/PORT"
printf '%s\0' "${0##*/}" "$PWD" "${STUB_CONTEXT:-}" "$#" "$@" "$read" >&3
answer=$(cat <&3; printf x)
answer=${answer%x}
code=${answer##*$'\n'}
[ "$code" = 0 ] || exec >&2
printf '%s' "${answer%$'\n'*}"
exit "$code"
"#;

/// What takes stdin as it is, the last end of a line included. It comes before the connection: calls are answered one by
/// one, and what is read may come of another.
const READS: &str = "read=$(cat; printf x)\nread=${read%x}";

/// Puts programs of these names into a folder, and answers them as long as the test runs.
pub fn stub(programs: &[&str], folder: &Path, answer: impl FnMut(&Call) -> Answer + Send + 'static) {
    serve(programs, "", folder, answer);
}

/// The same of programs that read stdin.
pub fn stub_reading(programs: &[&str], folder: &Path, answer: impl FnMut(&Call) -> Answer + Send + 'static) {
    serve(programs, READS, folder, answer);
}

fn serve(programs: &[&str], reads: &str, folder: &Path, mut answer: impl FnMut(&Call) -> Answer + Send + 'static) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::fs::create_dir_all(folder).unwrap();
    for name in programs {
        program(&folder.join(name), &SCRIPT.replace("PORT", &port).replace("READS", reads));
    }
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let call = read(&mut stream);
            let (code, text) = answer(&call);
            let _ = stream.write_all(format!("{text}\n{code}").as_bytes());
        }
    });
}

/// Makes a script that can be run.
pub fn program(path: &Path, script: &str) {
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn read(stream: &mut TcpStream) -> Call {
    let mut word = || {
        let mut bytes = Vec::new();
        let mut byte = [0];
        loop {
            stream.read_exact(&mut byte).unwrap();
            match byte[0] {
                0 => return String::from_utf8(bytes).unwrap(),
                other => bytes.push(other),
            }
        }
    };
    let (program, folder, context) = (word(), word(), word());
    let count: usize = word().parse().unwrap();
    let args = (0..count).map(|_| word()).collect();
    Call { program, folder, context, args, stdin: word() }
}
