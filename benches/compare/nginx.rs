//! Debian's nginx: two workers, a redirect, and an access log written through a buffer.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use super::running::Running;

/// A running nginx.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub(crate) child: Running,
    /// Where it answers HTTPS.
    pub(crate) address: SocketAddr,
}

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) host: &'a str,
    /// Where every answer points.
    pub(crate) destination: &'a str,
    /// The certificate and its key, in PEM.
    pub(crate) chain: &'a Path,
    pub(crate) key: &'a Path,
}

impl Nginx {
    /// Starts it with its files under `folder`; returns when it answers.
    pub(crate) fn start(site: &Site<'_>, folder: &Path) -> Result<Self, String> {
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            // nginx cannot say which port the kernel gave it, so one that was just free is tried.
            let address = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .map_err(|error| error.to_string())?;
            let folder = tempfile::tempdir_in(folder).map_err(|error| error.to_string())?.keep();
            let file = folder.join("nginx.conf");
            fs::write(&file, configuration(site, &folder, address.port()))
                .map_err(|error| error.to_string())?;
            let error_log = folder.join("error.log");
            let child = Command::new("nginx")
                .arg("-c")
                .arg(&file)
                .arg("-e")
                .arg(&error_log)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("nginx: {error}"))?;
            let mut child = Running::new(child);
            match child.until(|| TcpStream::connect(address).ok()) {
                Ok(_) => return Ok(Self { child, address }),
                Err(unready) => {
                    let log = fs::read_to_string(&error_log).unwrap_or_default();
                    reason = format!("{unready}: {}", log.lines().last().unwrap_or_default());
                }
            }
        }
        Err(reason)
    }
}

fn configuration(site: &Site<'_>, folder: &Path, port: u16) -> String {
    let Site { host, destination, .. } = site;
    let (chain, key) = (site.chain.display(), site.key.display());
    let folder = folder.display();
    format!(
        r#"daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log {folder}/access.log combined buffer=64k flush=1s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 75s;
  server {{
    listen 127.0.0.1:{port} ssl http2 reuseport backlog=4096;
    server_name {host};
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    location / {{ return 302 "{destination}"; }}
  }}
}}
"#
    )
}

const ATTEMPTS: usize = 3;
