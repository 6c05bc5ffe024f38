//! A real HTTP server on a free loopback port that answers as a test says: as the hub does, or wrongly.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a client has asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    /// How often this path has been asked for before.
    pub nth: usize,
}

impl Request {
    /// The first byte of a `Range: bytes=N-`.
    pub fn from(&self) -> Option<usize> {
        self.headers.get("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// After so many bytes of the body the connection is broken off.
    pub cut: Option<usize>,
    /// Instead of being broken off, it stays open and silent until the client goes.
    pub hold: bool,
    /// What the client is told about the length; by default the truth. `Some(None)` says nothing.
    pub length: Option<Option<usize>>,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The content, from where the request wants it.
    pub fn content(request: &Request, content: &[u8]) -> Self {
        match request.from() {
            Some(from) if from >= content.len() => {
                Self::new(416).header("Content-Range", format!("bytes */{}", content.len()))
            }
            Some(from) => {
                let span = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
                Self { body: content[from..].to_vec(), ..Self::new(206).header("Content-Range", span) }
            }
            None => Self { body: content.to_vec(), ..Self::new(200) },
        }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server.
pub struct Hub {
    pub port: u16,
    heard: Arc<Mutex<Vec<Request>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_tls(None, handler)
    }

    pub fn with_tls(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (heard, ended, handler) = (Arc::default(), Arc::new(AtomicBool::new(false)), Arc::new(handler));
        let (log, end): (Arc<Mutex<Vec<Request>>>, _) = (Arc::clone(&heard), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (tls, handler, log): (_, Arc<Handler>, _) = (tls.clone(), handler.clone(), Arc::clone(&log));
                // A client may well go in the middle of an answer.
                std::thread::spawn(move || match tls {
                    Some(config) => ServerConnection::new(config)
                        .map_err(std::io::Error::other)
                        .and_then(|tls| serve(StreamOwned::new(tls, stream), &*handler, &log)),
                    None => serve(stream, &*handler, &log),
                });
            }
        });
        Self { port, heard, ended, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that was asked for, in order.
    pub fn heard(&self) -> Vec<Request> {
        self.heard.lock().expect("no handler panicked").clone()
    }

    /// What was asked for of paths with this end.
    pub fn heard_of(&self, end: &str) -> Vec<Request> {
        self.heard().into_iter().filter(|request| request.path.ends_with(end)).collect()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: impl Read + Write, handler: &Handler, log: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let split =
        |line: &String| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers = lines.iter().skip(1).filter_map(split).collect();
    let request = {
        let mut log = log.lock().expect("no handler panicked");
        let nth = log.iter().filter(|before| before.path == path).count();
        let request = Request { path, headers, nth };
        log.push(request.clone());
        request
    };
    let reply = handler(&request);
    let mut stream = reader.into_inner();
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    if let Some(length) = reply.length.unwrap_or(Some(reply.body.len())) {
        head += &format!("Content-Length: {length}\r\n");
    }
    reply.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    stream.flush()?;
    if reply.hold {
        let _ = stream.read(&mut [0]);
    }
    Ok(())
}
