//! Real sockets on the loopback, a stand-in engine behind them.

mod commands;
mod cost;
mod descriptors;
mod load;
mod shutdown;
mod single_port;
mod tcp;
mod udp;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use spillway_sfu::Event;
use tokio::sync::mpsc;

use crate::{NetConfig, fake::FakeCore, media::Handle};

type Media = Handle<FakeCore>;

/// More than any answer takes, less than a patient tester.
const PATIENCE: Duration = Duration::from_secs(5);
/// Long enough to believe that no answer comes.
const SILENCE: Duration = Duration::from_millis(200);

fn config(workers: usize) -> NetConfig {
    NetConfig {
        media_port: 0,
        workers,
        include_loopback: true,
        ..NetConfig::default()
    }
}

fn start(config: &NetConfig) -> (Media, mpsc::Receiver<Event>) {
    Handle::start_with(config, |worker, _| FakeCore::new(worker)).unwrap()
}

fn port(media: &Media, worker: usize) -> u16 {
    media.candidates()[worker][0].address.port()
}

fn on_loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn client(ip: impl Into<IpAddr>) -> UdpSocket {
    let socket = UdpSocket::bind((ip.into(), 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    let (len, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..len].to_vec(), from)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn framed(datagram: &[u8]) -> Vec<u8> {
    let mut frame = (datagram.len() as u16).to_be_bytes().to_vec();
    frame.extend_from_slice(datagram);
    frame
}

fn send_frame(mut stream: &TcpStream, datagram: &[u8]) {
    stream.write_all(&framed(datagram)).unwrap();
}

fn read_frame(mut stream: &TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut datagram = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut datagram).unwrap();
    datagram
}

/// Whether the other side closes the connection while we're patient.
fn is_closed(mut stream: &TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}
