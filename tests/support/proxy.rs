//! A network between a device and its broker: it can be cut, also in the middle of a packet, and it remembers which
//! publishes the broker has acknowledged.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Shared {
    connections: Mutex<Vec<TcpStream>>,
    /// No connection is let through.
    closed: AtomicBool,
    /// After so many more bytes from the device, all is cut; 0 for never.
    fuse: AtomicUsize,
    arrived: Mutex<Vec<(String, Vec<u8>)>>,
    accepted: AtomicUsize,
}

/// A TCP proxy on a free loopback port.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn start(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        let inner = Arc::clone(&shared);
        std::thread::spawn(move || {
            for device in listener.incoming().map_while(Result::ok) {
                if !inner.closed.load(Ordering::Relaxed)
                    && let Ok(broker) = TcpStream::connect(("127.0.0.1", broker))
                {
                    inner.accepted.fetch_add(1, Ordering::Relaxed);
                    join(&inner, device, broker);
                }
            }
        });
        Self { port, shared }
    }

    /// Cuts all connections now.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Cuts all connections after so many more bytes from the device, wherever in a packet that is.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.fuse.store(bytes, Ordering::Relaxed);
    }

    /// Lets nothing through, or everything again.
    pub fn close(&self, closed: bool) {
        self.shared.closed.store(closed, Ordering::Relaxed);
        if closed {
            self.cut();
        }
    }

    /// Connections that were let through so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Topic and payload of each publish that the broker has acknowledged, in the order in which they were.
    pub fn arrived(&self) -> Vec<(String, Vec<u8>)> {
        self.shared.arrived.lock().expect("no panic").clone()
    }
}

impl Shared {
    fn cut(&self) {
        for connection in self.connections.lock().expect("no panic").drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

type Unacknowledged = Arc<Mutex<Sent>>;

#[derive(Default)]
struct Sent {
    /// The protocol's level, from the CONNECT packet: 4 for 3.1.1, 5 for 5.
    level: u8,
    publishes: HashMap<u16, (String, Vec<u8>)>,
}

/// Two threads carry what either side says.
fn join(shared: &Arc<Shared>, device: TcpStream, broker: TcpStream) {
    let twin = |stream: &TcpStream| stream.try_clone().expect("a handle");
    shared.connections.lock().expect("no panic").extend([twin(&device), twin(&broker)]);
    let sent = Unacknowledged::default();
    let (up, sent_up) = (Arc::clone(shared), Arc::clone(&sent));
    let (from, to) = (twin(&device), twin(&broker));
    std::thread::spawn(move || {
        carry(from, to, |packet| note_publish(packet, &sent_up), |bytes| up.burn(bytes));
    });
    let down = Arc::clone(shared);
    std::thread::spawn(move || {
        let acknowledge = |packet: &[u8]| {
            if packet[0] >> 4 == 4 {
                let number = u16::from_be_bytes([packet[2], packet[3]]);
                if let Some(publish) = sent.lock().expect("no panic").publishes.remove(&number) {
                    down.arrived.lock().expect("no panic").push(publish);
                }
            }
        };
        carry(broker, device, acknowledge, |bytes| bytes);
    });
}

impl Shared {
    /// How many of so many bytes still pass before the fuse burns through.
    fn burn(&self, bytes: usize) -> usize {
        let left = self.fuse.load(Ordering::Relaxed);
        if left == 0 {
            return bytes;
        }
        let passing = bytes.min(left);
        self.fuse.store(left - passing, Ordering::Relaxed);
        passing
    }
}

/// Carries bytes, and tells of each whole packet before it goes.
fn carry(mut from: TcpStream, mut to: TcpStream, packet: impl Fn(&[u8]), allowed: impl Fn(usize) -> usize) {
    let mut buffer = [0; 4096];
    let mut open = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let passing = allowed(read);
        open.extend_from_slice(&buffer[..passing]);
        while let Some(length) = whole(&open) {
            packet(&open[..length]);
            open.drain(..length);
        }
        if to.write_all(&buffer[..passing]).is_err() || passing < read {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// The length of the first packet, if all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let (length, header) = remaining(bytes)?;
    (bytes.len() >= header + length).then_some(header + length)
}

/// What a packet's header says of its remaining length, and the header's own length.
fn remaining(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for index in 1..5 {
        let byte = *bytes.get(index)?;
        length |= usize::from(byte & 0x7f) << (7 * (index - 1));
        if byte & 0x80 == 0 {
            return Some((length, index + 1));
        }
    }
    None
}

/// Keeps a QoS 1 publish until it is acknowledged.
fn note_publish(packet: &[u8], sent: &Unacknowledged) {
    let Some((_, header)) = remaining(packet) else { return };
    let mut sent = sent.lock().expect("no panic");
    if packet[0] >> 4 == 1 {
        // After the protocol's name, "MQTT".
        sent.level = packet[header + 6];
    }
    if packet[0] >> 4 != 3 || packet[0] & 0b110 == 0 {
        return;
    }
    let length = usize::from(u16::from_be_bytes([packet[header], packet[header + 1]]));
    let (start, end) = (header + 2, header + 2 + length);
    let topic = String::from_utf8_lossy(&packet[start..end]).into_owned();
    let number = u16::from_be_bytes([packet[end], packet[end + 1]]);
    let mut rest = &packet[end + 2..];
    if sent.level == 5 {
        // The length of the properties is written as that of a packet is, which has one byte before it.
        let (length, size) = remaining(&packet[end + 1..]).expect("properties");
        rest = &rest[size - 1 + length..];
    }
    sent.publishes.insert(number, (topic, rest.to_vec()));
}
