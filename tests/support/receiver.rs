//! A server that accepts everything that is posted to it and records it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver as Channel, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that runs until it is dropped.
pub struct Receiver {
    pub url: String,
    requests: Channel<Received>,
}

/// One request.
pub struct Received {
    pub path: String,
    /// The headers, with lower-case names.
    pub headers: Vec<String>,
    pub body: String,
}

impl Receiver {
    /// Starts a server that answers with these statuses in order, then always with the last one.
    pub fn answering(statuses: &'static [u16]) -> Self {
        Self::saying(statuses, b"")
    }

    /// Starts a server like [`Receiver::answering`] whose answers have this body.
    pub fn saying(statuses: &'static [u16], says: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = Vec::new();
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
                        break;
                    }
                    head.push(line.trim().to_owned());
                }
                let Some(first) = head.first().cloned() else { continue };
                let headers: Vec<String> = head[1..].iter().map(|line| line.to_lowercase()).collect();
                let length = headers.iter().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                stream.read_exact(&mut body).unwrap();
                let status = statuses.get(index).or(statuses.last()).unwrap();
                let location = if (300..400).contains(status) { "location: /elsewhere\r\n" } else { "" };
                let length = says.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{location}content-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let path = first.split(' ').nth(1).unwrap().to_owned();
                // It is there before the sender knows that it has arrived.
                if sender
                    .send(Received { path, headers, body: String::from_utf8_lossy(&body).into_owned() })
                    .is_err()
                {
                    break;
                }
                stream.get_mut().write_all(&[answer.as_bytes(), says].concat()).unwrap();
            }
        });
        Self { url, requests }
    }

    /// Returns the requests received since the last call.
    pub fn take(&self) -> Vec<Received> {
        self.requests.try_iter().collect()
    }
}

/// Answers everything with success, and keeps the bytes of all requests, whatever their form.
pub fn record(listener: TcpListener) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bytes);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (Vec::new(), 0);
            while stream.read_until(b'\n', &mut head).unwrap() > 2 {
                let text = String::from_utf8_lossy(&head).to_lowercase();
                length = text
                    .rsplit_once("content-length: ")
                    .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            kept.lock().unwrap().extend([head, body].concat());
            let _ =
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    bytes
}
