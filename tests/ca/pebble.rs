//! Let's Encrypt's test authority as a process.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::door::Door;
use super::wire::Identity;

/// What an authority is to be.
#[derive(Clone, Debug)]
pub struct PebbleSetup {
    /// Who answers its DNS questions.
    pub dns: SocketAddr,
    /// The port that it looks at for answers to challenges.
    pub http_port: u16,
    /// What goes wrong by chance.
    pub faults: Faults,
    /// The external account that it asks for: its id and key in base64url.
    pub external: Option<(String, String)>,
}

/// What goes wrong by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    None,
    /// One nonce in twenty is refused, half of the authorizations are used again, and an answer
    /// takes up to so many seconds.
    All(u32),
}

/// The authority. Ends when it is dropped.
pub struct Pebble {
    child: Child,
    door: Door,
    identity: Identity,
    management: SocketAddr,
    root: CertificateDer<'static>,
    root_pem: String,
    folder: TempDir,
    /// Keep the ports from others.
    _held: [Socket; 2],
}

impl Pebble {
    pub fn start(setup: &PebbleSetup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::new();
        let ((held, address), (held_too, management)) = (hold(), hold());
        let file = configuration(setup, &identity, folder.path(), address, management);
        let mut command = Command::new(program());
        command.arg("-config").arg(file).arg("-dnsserver").arg(setup.dns.to_string());
        command.arg("-strict");
        match setup.faults {
            Faults::None => command
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_WFE_NONCEREJECT", "0")
                .env("PEBBLE_AUTHZREUSE", "0"),
            Faults::All(seconds) => command
                .env("PEBBLE_VA_SLEEPTIME", seconds.to_string())
                .env("PEBBLE_WFE_NONCEREJECT", "5")
                .env("PEBBLE_AUTHZREUSE", "50"),
        };
        let log = File::create(folder.path().join("log")).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut child = Killed(Some(child));
        let begun = Instant::now();
        let root_pem = loop {
            let is_ready = ask(&identity, address, "GET", "/dir", "").is_some_and(|a| a.0 == 200);
            match ask(&identity, management, "GET", "/roots/0", "") {
                Some((200, pem)) if is_ready => break pem,
                _ => {}
            }
            let log = || fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(begun.elapsed() < PATIENCE, "the authority does not answer\n{}", log());
            sleep(Duration::from_millis(5));
        };
        let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).unwrap();
        let door = Door::open(address, &identity);
        let (child, held) = (child.0.take().unwrap(), [held, held_too]);
        Self { child, door, identity, management, root, root_pem, folder, _held: held }
    }

    /// The door to it.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// What its certificates are trusted by.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// The same in a file.
    pub fn root_file(&self) -> PathBuf {
        let file = self.folder.path().join("root.pem");
        fs::write(&file, &self.root_pem).unwrap();
        file
    }

    /// What the door is trusted by, in a file.
    pub fn door_file(&self) -> PathBuf {
        let file = self.folder.path().join("door.pem");
        fs::write(&file, self.door.root()).unwrap();
        file
    }

    /// What it said.
    pub fn told(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Sets what it says of the renewal of a certificate; empty for its own mind.
    pub fn set_renewal(&self, certificate: &str, answer: &str) {
        let body = json!({ "Certificate": certificate, "ARIResponse": answer }).to_string();
        let answer =
            ask(&self.identity, self.management, "POST", "/set-renewal-info/", &body).unwrap();
        assert_eq!(answer.0, 200, "{}", answer.1);
    }

    /// The table of `[[acme.issuer]]` for it, and further lines.
    pub fn issuer(&self, name: &str, more: &str) -> String {
        let profile = if more.contains("profile") { "" } else { "profile = \"default\"" };
        format!(
            "[[acme.issuer]]\nname = \"{name}\"\ndirectory = \"{}\"\nroots = {:?}\n\
             caa = [\"ca.test\"]\n{profile}\n{more}\n",
            self.door.directory(),
            self.door_file(),
        )
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let told = self.told();
            let last: Vec<_> = told.lines().rev().take(30).collect();
            eprintln!("the authority said at last:");
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// A process that is killed unless it is taken.
struct Killed(Option<Child>);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn configuration(
    setup: &PebbleSetup,
    identity: &Identity,
    folder: &Path,
    address: SocketAddr,
    management: SocketAddr,
) -> PathBuf {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&certificate, &identity.certificate_pem).unwrap();
    fs::write(&key, &identity.key_pem).unwrap();
    let mut pebble = json!({
        "listenAddress": address.to_string(),
        "managementListenAddress": management.to_string(),
        "certificate": certificate,
        "privateKey": key,
        "httpPort": setup.http_port,
        "tlsPort": setup.http_port,
        "keyAlgorithm": "ecdsa",
        "ocspResponderURL": "",
        "retryAfter": { "authz": 0, "order": 0 },
        "domainBlocklist": ["blocked.test"],
        "externalAccountBindingRequired": setup.external.is_some(),
        "profiles": {
            "default": { "description": "d", "validityPeriod": 7_776_000, "promoteCommonName": false },
            "short": { "description": "s", "validityPeriod": 576_000, "promoteCommonName": false },
        },
    });
    if let Some((id, key)) = &setup.external {
        pebble["externalAccountMACKeys"] = json!({ id: key });
    }
    let file = folder.join("pebble.json");
    fs::write(&file, json!({ "pebble": pebble }).to_string()).unwrap();
    file
}

/// A port of this machine that nobody else gets: bound and not listened on. Go listens beside it.
fn hold() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// The program, built once and kept outside of the project.
fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        Path::new(&std::env::var_os("HOME").expect("a home folder")).join(".cache")
    });
    let folder = cache.join("waypost").join(format!("pebble-{VERSION}"));
    let program = folder.join("pebble");
    if !program.exists() {
        // Moved into place whole: another test may look at the same time.
        let making = folder.with_extension(std::process::id().to_string());
        let package = format!("github.com/letsencrypt/pebble/v2/cmd/pebble@v{VERSION}");
        let built = Command::new("go").args(["install", &package]).env("GOBIN", &making).status();
        assert!(built.expect("go is needed").success(), "{package} was not built");
        fs::create_dir_all(&folder).unwrap();
        fs::rename(making.join("pebble"), &program).unwrap();
        drop(fs::remove_dir_all(making));
    }
    program
}

/// A request over TLS: status and body. `None` when nobody answers.
fn ask(
    identity: &Identity,
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Option<(u16, String)> {
    let tcp = TcpStream::connect(address).ok()?;
    tcp.set_read_timeout(Some(PATIENCE)).ok()?;
    tcp.set_nodelay(true).ok()?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::clone(&identity.client()), name).unwrap();
    let mut stream = StreamOwned::new(connection, tcp);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: test\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // Go ends a connection without saying so first.
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

const VERSION: &str = "2.10.1";
const PATIENCE: Duration = Duration::from_secs(60);
