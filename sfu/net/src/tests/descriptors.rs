use std::{fs::File, process::Command, time::Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

/// Tells the child that it is one.
const CHILD: &str = "SPILLWAY_TEST_FEW_DESCRIPTORS";

/// The limit is the whole process's, so the test runs again in a process of its own.
#[test]
fn a_full_descriptor_table_is_survived() {
    if std::env::var_os(CHILD).is_some() {
        return run_out_of_descriptors();
    }
    let name = "tests::descriptors::a_full_descriptor_table_is_survived";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

fn run_out_of_descriptors() {
    let (media, _events) = start(&config(1));
    let server = on_loopback(port(&media, 0));
    let echo = |stream: &TcpStream| {
        send_frame(stream, b"echo");
        read_frame(stream)
    };
    let before = connect(server);
    assert_eq!(echo(&before), b"echo");
    let udp = client(Ipv4Addr::LOCALHOST);
    let waiting = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();

    let limit = Rlimit {
        current: Some(256),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut held = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        held.push(file);
    }
    // The kernel takes the connection into its backlog; accepting it fails.
    waiting.connect(&server.into()).unwrap();
    let waiting: TcpStream = waiting.into();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    send_frame(&waiting, b"echo");
    let cpu = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (started, spent) = (Instant::now(), cpu());
    std::thread::sleep(SILENCE * 2);
    let spent = Duration::try_from(cpu() - spent).unwrap();
    assert!(
        spent < started.elapsed() / 4,
        "accepting spins: {spent:?} of CPU"
    );

    // Those being served don't notice.
    assert_eq!(echo(&before), b"echo");
    udp.send_to(b"echo", server).unwrap();
    assert_eq!(receive(&udp).0, b"echo");

    drop(held);
    assert_eq!(read_frame(&waiting), b"echo");
}
