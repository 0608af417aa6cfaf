//! The product under `serve`, recording every click on disk before it answers.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::identity::{DESTINATION, HOST, Identity};
use crate::running::{Running, Unready};
use crate::server::{Kind, Server};

/// Starts `waypost serve` with its data under `folder`.
pub(crate) fn start(
    kind: Kind,
    program: &Path,
    identity: &Identity,
    folder: &Path,
    journal: &str,
) -> Result<Server, String> {
    let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?.keep();
    let data = folder.join("data");
    let file = folder.join("waypost.toml");
    fs::write(&file, configuration(identity, &data, journal)).map_err(|error| error.to_string())?;
    command(program, &["key", "new"], &file)?;
    let traces = fs::File::create(folder.join("traces")).map_err(|error| error.to_string())?;
    let child = Command::new(program)
        .args(["serve", "--config"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(traces)
        .spawn()
        .map_err(|error| format!("waypost: {error}"))?;
    let mut child = Running::new(child);
    let node = child.until(|| node(&data)).map_err(|unready| match unready {
        Unready::Ended(status) if status.success() => "not built yet".to_owned(),
        unready => {
            let traces = fs::read_to_string(folder.join("traces")).unwrap_or_default();
            format!("{unready}: {traces}")
        }
    })?;
    let path = mint(program, &file)?;
    Ok(Server::new(kind, child, node.https, path).with_metrics(node.admin))
}

/// The path of a click that a key in a folder of its own has sealed.
pub(crate) fn path(identity: &Identity, folder: &Path) -> Result<String, String> {
    let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?;
    let (program, file) = (Path::new(BINARY), folder.path().join("waypost.toml"));
    let configuration = configuration(identity, &folder.path().join("data"), "");
    fs::write(&file, configuration).map_err(|error| error.to_string())?;
    command(program, &["key", "new"], &file)?;
    mint(program, &file)
}

/// How often the server's journal has synced; `None` for a server that tells nothing.
pub(crate) fn syncs(server: &Server) -> Result<Option<u64>, String> {
    let Some(address) = server.metrics else { return Ok(None) };
    let text = get(address, "/metrics").map_err(|error| format!("{address}/metrics: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("waypost_journal_syncs_total "));
    Ok(line.and_then(|value| value.trim().parse().ok()))
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

struct Node {
    https: SocketAddr,
    admin: SocketAddr,
}

/// What the node says of itself, once it listens.
fn node(data: &Path) -> Option<Node> {
    let told: Value = serde_json::from_slice(&fs::read(data.join("node.json")).ok()?).ok()?;
    let address = |value: &Value| value.as_str()?.parse().ok();
    Some(Node { https: address(&told["https"][0])?, admin: address(&told["admin"])? })
}

/// The path of a click link, minted as a sender would.
fn mint(program: &Path, configuration: &Path) -> Result<String, String> {
    #[rustfmt::skip]
    let arguments = [
        "link", "click", "--host", HOST, "--to", DESTINATION, "--account", "acme",
        "--campaign", "spring-2026", "--message", "0192f0c1-5e6a-7cc3-9a41-2f2b7c1d9e10",
        "--recipient", "r-48151623", "--link", "hero-button",
    ];
    let link = command(program, &arguments, configuration)?;
    let link = url::Url::parse(&link).map_err(|error| format!("{link:?} is no link: {error}"))?;
    Ok(link.path().to_owned())
}

/// What a command of the product prints.
fn command(program: &Path, arguments: &[&str], configuration: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .arg("--config")
        .arg(configuration)
        .output()
        .map_err(|error| format!("waypost: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("waypost {}: {errors}", arguments.join(" ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn configuration(identity: &Identity, data: &Path, journal: &str) -> String {
    let (chain, key) = (identity.chain.display(), identity.key.display());
    let data = data.display();
    format!(
        r#"[node]
data = "{data}"
name = "compare"

[edge]
https = ["127.0.0.1:0"]
http = []

[journal]
{journal}

[admin]
listen = "127.0.0.1:0"

[[tls.certificate]]
hosts = ["{HOST}"]
chain = "{chain}"
key = "{key}"
"#
    )
}

/// The build beside which this bench was built.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_waypost");
