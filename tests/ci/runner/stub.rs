//! Stubs of programs that scripts call. A test answers each call.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

/// One call of a stubbed program.
pub struct Call {
    pub program: String,
    pub folder: String,
    /// The value of `STUB_CONTEXT` in the call's environment, or the host of `gh` and its token for that.
    pub context: String,
    pub args: Vec<String>,
    /// The program's stdin, if the stub reads it.
    pub stdin: String,
}

/// The exit code and the output. The output goes to stderr if the exit code isn't 0.
pub type Answer = (u8, String);

/// The stub's script. Bash can use TCP itself, so nothing has to be installed. The last word of the answer is the
/// exit code.
const SCRIPT: &str = r#"#!/usr/bin/env bash
read=
READS
exec 3<>"/dev/tcp/127.0.0.1/PORT"
printf '%s\0' "${0##*/}" "$PWD" "${STUB_CONTEXT:-${GH_HOST:-} ${GH_ENTERPRISE_TOKEN:-}}" "$#" "$@" "$read" >&3
answer=$(cat <&3; printf x)
answer=${answer%x}
code=${answer##*$'\n'}
[ "$code" = 0 ] || exec >&2
printf '%s' "${answer%$'\n'*}"
exit "$code"
"#;

/// Reads stdin completely, including a last line break. This comes before the connection, because calls are
/// answered one at a time and the input may be the output of another call.
const READS: &str = "read=$(cat; printf x)\nread=${read%x}";

/// Creates stubs with these names in a folder, and answers their calls while the test runs.
pub fn stub(programs: &[&str], folder: &Path, answer: impl FnMut(&Call) -> Answer + Send + 'static) {
    serve(programs, "", folder, answer);
}

/// Creates stubs that also read stdin.
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

/// Writes an executable script.
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
